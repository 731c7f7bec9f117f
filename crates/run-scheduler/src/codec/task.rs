//! Tasks: what workers get, and what they say.

use treenail_engine::glue::{JobRun, Outcome};
use treenail_proto::{glue::v1 as glue, worker::v1 as worker};
use treenail_rpc::{Scope, telemetry::TraceContext};

use super::{Malformed, non_empty};

/// The longest error message that is kept, in characters (`Glue API: ErrorString`).
const ERROR_MESSAGE_LENGTH_MAX: usize = 2048;
/// The longest state detail that is kept, in characters.
const STATE_DETAIL_LENGTH_MAX: usize = 10_240;

/// A job run as a worker gets it; `None` for one without a job, which is never handed out.
pub(crate) fn to_task(
    run: &JobRun,
    scope: &Scope,
    workflow: Option<&str>,
    trace: Option<&TraceContext>,
) -> Option<worker::Task> {
    let job = run.spec.plan.as_ref()?;
    let settings = &run.spec.settings;
    let command = job.command.clone();
    Some(worker::Task {
        task_id: run.id.to_string(),
        token: run.token,
        account: scope.account.clone(),
        region: scope.region.clone(),
        traceparent: trace.map(|trace| trace.traceparent.clone()).unwrap_or_default(),
        tracestate: trace.map(|trace| trace.tracestate.clone()).unwrap_or_default(),
        job: Some(worker::JobTask {
            job_name: run.spec.job_name.clone(),
            job_run_id: run.id.to_string(),
            attempt: run.id.attempt(),
            command: Some(glue::JobCommand {
                name: command.name,
                script_location: command.script_location,
                python_version: command.python_version,
                runtime: command.runtime,
            }),
            arguments: run.spec.merged_arguments(),
            workflow_name: workflow.unwrap_or_default().to_owned(),
            workflow_run_id: run.spec.workflow_run().map(|id| id.to_string()).unwrap_or_default(),
            glue_version: settings.glue_version.clone().unwrap_or_default(),
            worker_type: settings
                .worker_type
                .as_deref()
                .and_then(glue::WorkerType::from_str_name)
                .unwrap_or(glue::WorkerType::Unspecified)
                .into(),
            number_of_workers: settings.number_of_workers.unwrap_or_default(),
            max_capacity: settings.max_capacity.unwrap_or_default(),
            timeout_minutes: settings.timeout_minutes.unwrap_or_default(),
            security_configuration: settings.security_configuration.clone().unwrap_or_default(),
        }),
    })
}

/// How a worker says that a task ended. What it says too long is cut.
pub(crate) fn outcome(outcome: Option<&worker::Outcome>) -> Result<Outcome, Malformed> {
    let outcome = outcome.ok_or(Malformed("task without an outcome"))?;
    match outcome.result() {
        worker::Result::Succeeded => Ok(Outcome::Succeeded),
        worker::Result::Cancelled => Ok(Outcome::Cancelled),
        worker::Result::Failed => Ok(Outcome::Failed {
            error: cut(&outcome.error_message, ERROR_MESSAGE_LENGTH_MAX),
            detail: non_empty(&cut(&outcome.state_detail, STATE_DETAIL_LENGTH_MAX)),
        }),
        worker::Result::Unspecified => Err(Malformed("result of a task")),
    }
}

fn cut(text: &str, length_max: usize) -> String {
    text.chars().take(length_max).collect()
}
