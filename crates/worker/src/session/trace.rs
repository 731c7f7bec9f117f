//! The span of an attempt, in the trace of the request that started its run.

use tracing::Span;
use treenail_proto::worker::v1::{Outcome, Result as Ended, Task};
use treenail_rpc::telemetry::{
    TraceContext,
    spans::{Attempt, attempt_ended},
};

/// Begins the span of a task that belongs to a trace; what the task starts then belongs to that span.
pub(super) fn begin(task: &mut Task) -> Span {
    let Some(job) = task.job.as_ref().filter(|_| !task.traceparent.is_empty()) else {
        return Span::none();
    };
    let attempt = Attempt {
        job: &job.job_name,
        job_run_id: &job.job_run_id,
        attempt: job.attempt,
        workflow: &job.workflow_name,
        workflow_run_id: &job.workflow_run_id,
        account: &task.account,
        region: &task.region,
    };
    let span = attempt.span(&TraceContext {
        traceparent: task.traceparent.clone(),
        tracestate: task.tracestate.clone(),
    });
    // A worker that sends nothing leaves the task in the span of the request.
    if let Some(context) = TraceContext::of(&span) {
        task.traceparent = context.traceparent;
        task.tracestate = context.tracestate;
    }
    span
}

/// Ends the span of a task with the kind of its outcome, and nothing that the job said.
pub(super) fn end(span: &Span, outcome: &Outcome) {
    let word = match outcome.result() {
        Ended::Succeeded => "succeeded",
        Ended::Cancelled => "cancelled",
        Ended::Failed | Ended::Unspecified => "failed",
    };
    attempt_ended(span, word);
}
