//! The rules of workflows.

use treenail_proto::glue::v1::Workflow;

use crate::error::Error;

/// Checks a workflow.
///
/// # Errors
/// `InvalidInputException` when it allows fewer than one concurrent run.
pub(crate) fn check(workflow: &Workflow) -> Result<(), Error> {
    if workflow.max_concurrent_runs.is_some_and(|max| max < 1) {
        return Err(Error::invalid(
            "MaxConcurrentRuns should be greater than or equal to 1 if present.",
        ));
    }
    Ok(())
}
