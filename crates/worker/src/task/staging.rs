//! Brings a job's script and files into the attempt's folder.

use std::path::{Path, PathBuf};

use tokio::fs;
use treenail_proto::worker::v1::JobTask;

use super::folder::AttemptFolder;
use crate::{
    fetch::{Fetcher, percent_decoded},
    outcome::Engine,
};

const SCRIPT_ARGUMENT: &str = "--scriptLocation";
const PYTHON_FILES_ARGUMENT: &str = "--extra-py-files";
const FILES_ARGUMENT: &str = "--extra-files";

/// What the attempt's folder holds.
#[derive(Debug)]
pub(crate) struct Staged {
    /// The script.
    pub(crate) script: PathBuf,
    /// Where its imports are looked for, first to last.
    pub(crate) python_path: Vec<PathBuf>,
}

/// Fetches the script, `--extra-py-files` and `--extra-files`.
///
/// # Errors
/// In words when something cannot be fetched or kept.
pub(crate) async fn stage(
    fetcher: &Fetcher<'_>,
    job: &JobTask,
    engine: Engine,
    folder: &AttemptFolder,
) -> Result<Staged, String> {
    let location = script_location(job).ok_or("The job has no ScriptLocation.")?;
    let script = folder.script().join(file_name(location)?);
    let content = fetcher.fetch(location, fetcher.config.limits.script_bytes).await?;
    write(&script, &content).await?;

    let libraries = folder.libraries();
    let mut python_path = Vec::new();
    for file in fetch_all(fetcher, job, PYTHON_FILES_ARGUMENT, &libraries).await? {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("py") => {}
            Some("zip" | "egg" | "whl") => python_path.push(file),
            _ => {
                return Err(format!(
                    "{PYTHON_FILES_ARGUMENT} takes .py, .zip, .egg and .whl, not {}",
                    file.display()
                ));
            }
        }
    }
    python_path.insert(0, libraries);
    match engine {
        // AWS has no such argument for them.
        Engine::PythonShell => {}
        Engine::Spark => {
            fetch_all(fetcher, job, FILES_ARGUMENT, &folder.work()).await?;
        }
    }
    Ok(Staged { script, python_path })
}

/// Fetches one file into a folder, under the name that it has where it lies.
pub(super) async fn fetch_into(fetcher: &Fetcher<'_>, location: &str, folder: &Path) -> Result<PathBuf, String> {
    let path = folder.join(file_name(location)?);
    let content = fetcher.fetch(location, fetcher.config.limits.extra_file_bytes).await?;
    write(&path, &content).await?;
    Ok(path)
}

async fn fetch_all(
    fetcher: &Fetcher<'_>,
    job: &JobTask,
    argument: &str,
    folder: &Path,
) -> Result<Vec<PathBuf>, String> {
    let locations = listed(job, argument);
    let most = fetcher.config.limits.extra_files;
    if locations.len() > most {
        return Err(format!("{argument} takes at most {most} files"));
    }
    let mut files = Vec::with_capacity(locations.len());
    for location in locations {
        files.push(fetch_into(fetcher, location, folder).await?);
    }
    Ok(files)
}

/// The parts of an argument that is a list with commas.
pub(super) fn listed<'j>(job: &'j JobTask, argument: &str) -> Vec<&'j str> {
    let list = job.arguments.get(argument).map_or("", String::as_str);
    list.split(',').map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn script_location(job: &JobTask) -> Option<&str> {
    let own = job
        .command
        .as_ref()
        .and_then(|command| command.script_location.as_deref());
    let given = job.arguments.get(SCRIPT_ARGUMENT).map(String::as_str);
    given
        .filter(|location| !location.is_empty())
        .or(own)
        .filter(|location| !location.is_empty())
}

/// The name that a location ends with.
fn file_name(location: &str) -> Result<String, String> {
    let path = match location.split_once("://") {
        Some(("file", path)) => percent_decoded(path)?,
        Some((_, path)) => path.to_owned(),
        None => location.to_owned(),
    };
    match path.rsplit('/').next().unwrap_or_default() {
        "" | "." | ".." => Err(format!("{location} names no file")),
        name => Ok(name.to_owned()),
    }
}

async fn write(path: &Path, content: &[u8]) -> Result<(), String> {
    fs::write(path, content)
        .await
        .map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_file_has_the_last_name_of_its_location() {
        let rows = [
            ("s3://bucket/jobs/a.py", Some("a.py")),
            ("file:///srv/a%20b.py", Some("a b.py")),
            ("file:///srv/%2e%2e", None),
            ("/srv/a.py", Some("a.py")),
            ("s3://bucket/", None),
            ("s3://bucket/..", None),
            ("", None),
        ];
        for (location, name) in rows {
            assert_eq!(file_name(location).ok().as_deref(), name, "{location}");
        }
    }
}
