//! Why a call fails, in AWS's words.

use treenail_engine::glue::Rejected;
use treenail_rpc::{Fault, Reason};

use crate::{codec::Malformed, store};

/// Why a call fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It must not be carried out.
    #[error(transparent)]
    Refused(#[from] Fault),
    /// The engine refused it.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A stored row or a message cannot be understood.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The scheduler has stopped.
    #[error("the run-scheduler is stopping")]
    Stopping,
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(fault) => fault.into(),
            Error::Rejected(rejected) => refusal(&rejected).into(),
            Error::Store(_) | Error::Malformed(_) => {
                tracing::error!(%error, "a call failed");
                Fault::internal().into()
            }
            Error::Stopping => Fault::new(Reason::ServiceUnavailableException, "The service is stopping").into(),
        }
    }
}

/// What no workflow or workflow run of a name or id is answered with.
pub(crate) fn entity_not_found() -> Fault {
    Fault::new(Reason::EntityNotFoundException, "Entity not found")
}

fn refusal(rejected: &Rejected) -> Fault {
    match rejected {
        Rejected::NoWorkflow | Rejected::NoWorkflowRun => entity_not_found(),
        Rejected::NoTrigger(name) => Fault::new(Reason::EntityNotFoundException, format!("Trigger {name} not found.")),
        Rejected::NoJob(_) => Fault::new(
            Reason::EntityNotFoundException,
            "Failed to start job run due to missing metadata.",
        ),
        Rejected::NoJobRun => Fault::new(Reason::EntityNotFoundException, "Job run not found."),
        Rejected::WorkflowAtLimit(name) => {
            let message = format!("Concurrent runs exceeded for workflow: {name}.");
            Fault::new(Reason::ConcurrentRunsExceededException, message)
        }
        Rejected::JobAtLimit(name) => Fault::new(
            Reason::ConcurrentRunsExceededException,
            format!("Concurrent runs exceeded for {name}"),
        ),
        Rejected::IllegalStatus { run, status } => {
            let status = crate::codec::workflow_run::status_word(*status);
            let message = format!("Workflow run {run} is in state {status} and cannot be resumed");
            Fault::new(Reason::IllegalWorkflowStateException, message)
        }
        Rejected::NoNodes => Fault::new(Reason::InvalidInputException, "NodeIds cannot be null or empty"),
        Rejected::NodeNotRun { node, run } => {
            let message = format!("Node {node} cannot be resumed: it was not run in workflow run {run}");
            Fault::new(Reason::InvalidInputException, message)
        }
        Rejected::NotStartedByEvents(name) => {
            let message = format!("Workflow {name} does not have an EVENT starting trigger");
            Fault::new(Reason::InvalidInputException, message)
        }
        Rejected::StaleToken => Fault::new(Reason::InvalidInputException, "The task is no longer the worker's"),
    }
}
