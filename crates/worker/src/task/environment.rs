//! The environment of a script's process, built from nothing.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use treenail_proto::worker::v1::{JobTask, Task};

use super::AttemptFolder;
use crate::{config::Config, credentials::Credentials};

/// The variable that marks the processes of a worker: what an earlier process of it left behind is found by it.
pub(crate) const WORKER_MARK: &str = "TREENAIL_WORKER_ID";
const CUSTOMER_ARGUMENT: &str = "--customer-driver-env-vars";
const CUSTOMER_PREFIX: &str = "CUSTOMER_";
const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// All variables of the process.
///
/// # Errors
/// In words when the user's own variables are not in the form of `CUSTOMER_NAME=value,...`, or a path holds a colon.
pub(crate) fn of(
    config: &Config,
    task: &Task,
    job: &JobTask,
    folder: &AttemptFolder,
    python_path: &[PathBuf],
    credentials: &Credentials,
) -> Result<BTreeMap<String, OsString>, String> {
    let python_path = std::env::join_paths(python_path).map_err(|error| format!("PYTHONPATH: {error}"))?;
    let paths = [
        ("HOME", folder.work().as_os_str().to_owned()),
        ("TMPDIR", folder.temporary().as_os_str().to_owned()),
        ("PATH", search_path(&config.python)),
        ("PYTHONPATH", python_path),
    ];
    let own = config.script_environment.iter();
    let mut environment: BTreeMap<String, OsString> = own.map(|(name, value)| (name.clone(), value.into())).collect();
    environment.extend(customers(job)?);
    environment.extend(paths.map(|(name, value)| (name.to_owned(), value)));
    let texts = fixed()
        .into_iter()
        .chain(of_service(config, task, credentials))
        .chain(of_run(task, job));
    environment.extend(texts.map(|(name, value)| (name.to_owned(), value.into())));
    Ok(environment)
}

fn fixed() -> [(&'static str, String); 4] {
    [
        ("LANG", "C.UTF-8"),
        ("TZ", "UTC"),
        ("PYTHONUNBUFFERED", "1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
}

/// How the script's AWS clients find the server, and as whom.
fn of_service(config: &Config, task: &Task, credentials: &Credentials) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("AWS_ACCESS_KEY_ID", credentials.access_key.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret.expose().to_owned()),
        ("AWS_REGION", task.region.clone()),
        ("AWS_DEFAULT_REGION", task.region.clone()),
        ("AWS_ENDPOINT_URL", config.aws_endpoint_url.clone()),
        (WORKER_MARK, config.worker_id.clone()),
    ];
    if let Some(authority) = &config.authority {
        variables.push(("AWS_CA_BUNDLE", authority.bundle.to_string_lossy().into_owned()));
    }
    if let Some(endpoint) = &config.s3_endpoint_url {
        variables.push(("AWS_ENDPOINT_URL_S3", endpoint.clone()));
    }
    variables
}

/// What the script may know of its run; what there is not has no variable.
fn of_run(task: &Task, job: &JobTask) -> impl Iterator<Item = (&'static str, String)> {
    let version = job.command.as_ref().and_then(|command| command.python_version.clone());
    [
        ("AWS_GLUE_JOB_NAME", job.job_name.clone()),
        ("AWS_GLUE_JOB_RUN_ID", job.job_run_id.clone()),
        ("AWS_GLUE_ATTEMPT", job.attempt.to_string()),
        ("AWS_GLUE_WORKFLOW_NAME", job.workflow_name.clone()),
        ("AWS_GLUE_WORKFLOW_RUN_ID", job.workflow_run_id.clone()),
        ("GLUE_VERSION", job.glue_version.clone()),
        ("GLUE_PYTHON_VERSION", version.unwrap_or_else(|| "3".to_owned())),
        ("TRACEPARENT", task.traceparent.clone()),
        ("TRACESTATE", task.tracestate.clone()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
}

fn customers(job: &JobTask) -> Result<BTreeMap<String, OsString>, String> {
    let given = job.arguments.get(CUSTOMER_ARGUMENT).map_or("", String::as_str);
    let mut variables = BTreeMap::new();
    for pair in given.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some((name, value)) if name.starts_with(CUSTOMER_PREFIX) => {
                variables.insert(name.to_owned(), value.trim_matches('"').into());
            }
            _ => {
                return Err(format!(
                    "{CUSTOMER_ARGUMENT} takes {CUSTOMER_PREFIX}NAME=value,..., not {pair}"
                ));
            }
        }
    }
    Ok(variables)
}

/// The interpreter's own folder first, so that `python` and `pip` in a script are those that run it.
fn search_path(python: &Path) -> OsString {
    let mut path = OsString::new();
    if let Some(folder) = python.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        path.push(folder);
        path.push(":");
    }
    path.push(SYSTEM_PATH);
    path
}
