//! How a container is made: what it may do, have and see.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use rustix::process::Resource;

use super::launcher::LAUNCHER;
use crate::{config::Limits, process::Bounds, task::Launch};

/// The labels that say what a container runs.
const JOB_RUN_LABEL: &str = "treenail.job-run";
const TOKEN_LABEL: &str = "treenail.token";
/// The first to be killed when memory runs out.
const OOM_SCORE_ADJUSTMENT: &str = "1000";
/// More processes than all jobs of a machine have; without a number an engine may ask for more than it may give.
const PROCESSES_OF_USER_MAX: u64 = 32_768;
/// The process with which the container begins, beside the job's own.
const INIT_PROCESSES: usize = 1;

/// All that decides how a container is made.
#[derive(Debug)]
pub(super) struct Creation<'a> {
    pub(super) launch: &'a Launch<'a>,
    pub(super) image: &'a str,
    /// The file that the launcher reads.
    pub(super) told: &'a Path,
    pub(super) network: &'a str,
    /// The label of the worker's containers.
    pub(super) worker_mark: &'a str,
    /// The user and the group.
    pub(super) user: (u32, u32),
    /// Whether the engine must be told that the user is the same within.
    pub(super) keeps_user: bool,
    pub(super) limits: &'a Limits,
    pub(super) bounds: Bounds,
}

impl Creation<'_> {
    /// The container's name.
    pub(super) fn name(&self) -> String {
        let task = self.launch.task;
        format!("treenail-{}-{}", task.task_id, task.token)
    }

    /// The engine's command line, in which nothing is secret.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut line = Line(Vec::new());
        line.word("create").option("--name", self.name());
        self.isolate(&mut line);
        self.limit(&mut line);
        self.label(&mut line);
        self.mount(&mut line);
        line.option("--network", self.network)
            .option("--workdir", self.launch.folder.work())
            .option("--entrypoint", "python3")
            .word(self.image)
            .word("-I")
            .option("-c", LAUNCHER)
            .word(self.told);
        line.0
    }

    fn isolate(&self, line: &mut Line) {
        let (user, group) = self.user;
        line.word("--init")
            .option("--user", format!("{user}:{group}"))
            .option("--cap-drop", "ALL")
            .option("--security-opt", "no-new-privileges")
            .word("--read-only")
            .option("--tmpfs", "/tmp:rw,nosuid,nodev,mode=1777")
            // Else the engine keeps all output on its disk, and without a bound.
            .option("--log-driver", "none")
            // A container that is to end has no say in it, as a process has none.
            .option("--stop-signal", "KILL");
        if self.keeps_user {
            line.option("--userns", "keep-id");
        }
    }

    fn limit(&self, line: &mut Line) {
        let Bounds { memory, processes } = self.bounds;
        if memory < u64::MAX {
            // As much with swap as without: none.
            line.option("--memory", format!("{memory}b"))
                .option("--memory-swap", format!("{memory}b"));
        }
        line.option("--pids-limit", (processes + INIT_PROCESSES).to_string())
            .option("--oom-score-adj", OOM_SCORE_ADJUSTMENT);
        let rows = [
            ("core", Resource::Core, 0),
            ("fsize", Resource::Fsize, self.limits.file_bytes),
            ("nofile", Resource::Nofile, self.limits.open_files),
            ("nproc", Resource::Nproc, PROCESSES_OF_USER_MAX),
        ];
        for (name, resource, wanted) in rows {
            let hard = rustix::process::getrlimit(resource).maximum;
            let limit = hard.map_or(wanted, |hard| hard.min(wanted));
            line.option("--ulimit", format!("{name}={limit}:{limit}"));
        }
    }

    fn label(&self, line: &mut Line) {
        let Launch { task, job, .. } = self.launch;
        line.option("--label", self.worker_mark)
            .option("--label", format!("{JOB_RUN_LABEL}={}", job.job_run_id))
            .option("--label", format!("{TOKEN_LABEL}={}", task.token));
    }

    /// Everything is where it is for a process; only two folders can be written to.
    fn mount(&self, line: &mut Line) {
        let folder = self.launch.folder;
        line.mount(folder.root(), true);
        for writable in [folder.work(), folder.temporary()] {
            line.mount(&writable, false);
        }
        for shared in self.launch.shared() {
            line.mount(shared, true);
        }
    }
}

/// Whether a folder can be named in a mount, whose fields stand between commas.
///
/// # Errors
/// In words when it cannot.
pub(super) fn check_mountable(folder: &Path) -> Result<(), String> {
    let is_special = |byte: &u8| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    if folder.as_os_str().as_bytes().iter().any(is_special) {
        return Err(format!(
            "{} cannot be mounted into containers: a comma, a quote or a line's end is in it",
            folder.display()
        ));
    }
    Ok(())
}

/// A command line that grows.
struct Line(Vec<OsString>);

impl Line {
    fn word(&mut self, word: impl AsRef<OsStr>) -> &mut Line {
        self.0.push(word.as_ref().to_owned());
        self
    }

    fn option(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Line {
        self.word(name).word(value)
    }

    fn mount(&mut self, folder: &Path, is_read_only: bool) {
        let mut mount = OsString::from("type=bind,source=");
        mount.push(folder);
        mount.push(",target=");
        mount.push(folder);
        if is_read_only {
            mount.push(",readonly");
        }
        self.option("--mount", mount);
    }
}
