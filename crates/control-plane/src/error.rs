//! Why a call fails: every refusal with AWS's text, in one table.

use treenail_rpc::{Fault, Reason};

use crate::{kind::Kind, store};

/// Why a call to the control-plane fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `Glue API: EntityNotFoundException`, as the operations of workflows word it.
    #[error("Entity not found")]
    WorkflowNotFound,
    /// `Glue API: EntityNotFoundException`, as the operations of triggers word it.
    #[error("Trigger {0} not found.")]
    TriggerNotFound(String),
    /// `Glue API: EntityNotFoundException`, as the operations of jobs word it.
    #[error("Job {0} not found.")]
    JobNotFound(String),
    /// The ARN of a tag operation names nothing that exists.
    #[error("Entity not found")]
    ResourceNotFound,
    /// CreateWorkflow: the name is taken.
    #[error("Workflow with name {0} already exists.")]
    WorkflowExists(String),
    /// CreateTrigger: the name is taken by a trigger with another definition.
    #[error("Trigger with name '{0}' already submitted with different configuration")]
    TriggerDiffers(String),
    /// CreateJob: the name is taken by a job with another definition.
    #[error("Job with name '{0}' already submitted with different configuration")]
    JobDiffers(String),
    /// A rule of the service is broken; the text is AWS's where it is known.
    #[error("{0}")]
    Invalid(String),
    /// There are as many of a kind as the account may have.
    #[error("The number of {plural} has exceeded the limit. Your account is limited to {limit} {plural}.")]
    TooMany {
        /// What there are too many of.
        plural: &'static str,
        /// How many there may be.
        limit: u32,
    },
    /// A trigger starts more jobs than it may.
    #[error(
        "The number of jobs per trigger has exceeded the limit. Your account is limited to {limit} jobs per trigger."
    )]
    TooManyJobsInTrigger {
        /// How many it may start.
        limit: u32,
    },
    /// A definition is larger than the run-scheduler can be told of.
    #[error("The definition of {kind} {name} is larger than {limit_bytes} bytes.")]
    TooLarge {
        /// What it is of.
        kind: Kind,
        /// Its name.
        name: String,
        /// How large it may be.
        limit_bytes: usize,
    },
    /// The definition changed under every attempt to change it.
    #[error("{kind} {name} was modified concurrently")]
    Contended {
        /// What changed.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// The stored definition cannot be read; the log says more.
    #[error("the stored definition of {kind} {name} cannot be read")]
    Damaged {
        /// What it is of.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] store::Error),
    /// The run-scheduler refused or could not be reached.
    #[error("{0}")]
    Scheduler(Fault),
    /// The request's metadata is not well-formed.
    #[error("{0}")]
    Caller(Fault),
}

impl Error {
    /// A broken rule of the service (`InvalidInputException`).
    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::Invalid(message.into())
    }
}

/// What the caller is told.
impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        let message = error.to_string();
        let reason = match error {
            Error::WorkflowNotFound | Error::TriggerNotFound(_) | Error::JobNotFound(_) | Error::ResourceNotFound => {
                Reason::EntityNotFoundException
            }
            Error::WorkflowExists(_) => Reason::AlreadyExistsException,
            Error::TriggerDiffers(_) | Error::JobDiffers(_) => Reason::IdempotentParameterMismatchException,
            Error::Invalid(_) => Reason::InvalidInputException,
            Error::TooMany { .. } | Error::TooManyJobsInTrigger { .. } | Error::TooLarge { .. } => {
                Reason::ResourceNumberLimitExceededException
            }
            Error::Contended { .. } => Reason::ConcurrentModificationException,
            Error::Damaged { .. } => return Fault::internal(),
            Error::Store(store) => {
                tracing::error!(error = %store, "the store of definitions failed");
                return Fault::internal();
            }
            Error::Scheduler(fault) | Error::Caller(fault) => return fault,
        };
        Fault::new(reason, message)
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> tonic::Status {
        Fault::from(error).into()
    }
}
