//! What an attempt runs, wherever it runs.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use treenail_proto::worker::v1::{JobTask, Task};

use super::folder::AttemptFolder;
use crate::outcome::Engine;

/// What an attempt runs: a Python interpreter with these arguments, in this environment, in the attempt's folder.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// The hand-out of the task.
    pub(crate) task: &'a Task,
    /// The task's job.
    pub(crate) job: &'a JobTask,
    /// Which of AWS's engines the job asks for.
    pub(crate) engine: Engine,
    /// The attempt's folder: script and files are there, in place.
    pub(crate) folder: &'a AttemptFolder,
    /// What the interpreter is told: its own options, the script, and the script's arguments, which may be secrets.
    pub(crate) arguments: Vec<OsString>,
    /// All variables of the script's process; some are secrets.
    pub(crate) environment: BTreeMap<String, OsString>,
    /// Where imports are looked for; what lies outside of the attempt's folder is read by many attempts.
    pub(crate) python_path: Vec<PathBuf>,
    /// The file of the certificates that vouch for servers, where there is one.
    pub(crate) authority: Option<&'a Path>,
}

impl Launch<'_> {
    /// The folders and files that the script reads beside the attempt's own.
    pub(crate) fn shared(&self) -> impl Iterator<Item = &Path> {
        let paths = self.python_path.iter().map(PathBuf::as_path).chain(self.authority);
        paths.filter(|path| !path.starts_with(self.folder.root()))
    }
}
