//! The rules and defaults of jobs (spec §8).

use treenail_proto::glue::v1::{ExecutionClass, Job, JobMode, WorkerType};

use super::capacity::{self, CommandKind};
use crate::error::Error;

/// The Glue version of a job that names none (`Glue API: CreateJob`).
const GLUE_VERSION_DEFAULT: &str = "5.1";
/// The Glue versions on which Spark jobs can no longer be made.
const GLUE_VERSIONS_GONE: [&str; 3] = ["0.9", "1.0", "2.0"];
/// The longest a run may take: 7 days.
const TIMEOUT_MINUTES_MAX: i32 = 10_080;
/// How long a run may take when nothing is said: 48 hours up to Glue 4.0, 8 hours from 5.0 on.
const TIMEOUT_MINUTES_DEFAULT_TO_4: i32 = 2_880;
const TIMEOUT_MINUTES_DEFAULT_FROM_5: i32 = 480;

/// Checks what a request says of a job, before anything is filled in.
///
/// # Errors
/// `InvalidInputException` with AWS's texts.
pub(crate) fn check(job: &Job) -> Result<(), Error> {
    let kind = CommandKind::of(job);
    if job.role.as_deref() == Some("") {
        return Err(Error::invalid("Role cannot be null or empty"));
    }
    check_glue_version(job, kind)?;
    capacity::check(job)?;
    check_timeout(job, kind)?;
    if job.maintenance_window.is_some() && kind != CommandKind::Streaming {
        return Err(Error::invalid(
            "Maintenance window should be provided only for glue streaming jobs",
        ));
    }
    let runs = job
        .execution_property
        .as_ref()
        .and_then(|property| property.max_concurrent_runs);
    if runs.is_some_and(|runs| runs < 1) {
        return Err(Error::invalid(
            "MaxConcurrentRuns should be greater than or equal to 1 if present.",
        ));
    }
    if job.max_retries.is_some_and(|retries| retries < 0) {
        return Err(Error::invalid(
            "MaxRetries should be greater than or equal to 0 if present.",
        ));
    }
    Ok(())
}

/// Fills in what AWS fills in; what it does not stays as it was sent.
pub(crate) fn fill(job: &mut Job) {
    let kind = CommandKind::of(job);
    job.execution_property
        .get_or_insert_default()
        .max_concurrent_runs
        .get_or_insert(1);
    job.max_retries.get_or_insert(0);
    if job.job_mode() == JobMode::Unspecified {
        job.set_job_mode(JobMode::Script);
    }
    // A gRPC client may send the zero value of an enum, which means that it is not set.
    job.worker_type = Some(job.worker_type().into()).filter(|&worker| worker != i32::from(WorkerType::Unspecified));
    job.execution_class =
        Some(job.execution_class().into()).filter(|&class| class != i32::from(ExecutionClass::Unspecified));
    let version = job.glue_version.get_or_insert_with(|| GLUE_VERSION_DEFAULT.to_owned());
    let default = match kind {
        CommandKind::Streaming | CommandKind::Ray => None,
        CommandKind::Spark if major(version) >= 5 => Some(TIMEOUT_MINUTES_DEFAULT_FROM_5),
        CommandKind::Spark | CommandKind::PythonShell | CommandKind::Unknown => Some(TIMEOUT_MINUTES_DEFAULT_TO_4),
    };
    job.timeout = job.timeout.or(default);
    capacity::fill(job);
}

fn check_glue_version(job: &Job, kind: CommandKind) -> Result<(), Error> {
    let is_gone = job
        .glue_version
        .as_deref()
        .is_some_and(|version| GLUE_VERSIONS_GONE.contains(&version));
    match kind {
        CommandKind::Spark | CommandKind::Streaming if is_gone => Err(Error::invalid(
            "The Glue version selected for the job is no longer available. Select a newer Glue version.",
        )),
        CommandKind::Spark
        | CommandKind::Streaming
        | CommandKind::PythonShell
        | CommandKind::Ray
        | CommandKind::Unknown => Ok(()),
    }
}

fn check_timeout(job: &Job, kind: CommandKind) -> Result<(), Error> {
    let Some(timeout) = job.timeout else { return Ok(()) };
    let is_too_long = timeout > TIMEOUT_MINUTES_MAX;
    match kind {
        CommandKind::Ray => Err(Error::invalid("Timeout not supported for Ray jobs")),
        CommandKind::Streaming if is_too_long => Err(Error::invalid(
            "Timeout should be less than or equal to 10080 minutes, \
             leave the timeout value as null to run it longer than 10080 minutes",
        )),
        CommandKind::Spark | CommandKind::PythonShell | CommandKind::Unknown if is_too_long => {
            Err(Error::invalid("Timeout should be less than or equal to 10080 minutes."))
        }
        CommandKind::Spark | CommandKind::Streaming | CommandKind::PythonShell | CommandKind::Unknown => Ok(()),
    }
}

/// The number before the first dot; 0 when there is none.
fn major(version: &str) -> u32 {
    version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or(0)
}
