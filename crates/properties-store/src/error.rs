//! What can go wrong, and the status that each failure is answered with.

use std::error;

use tonic::Status;
use treenail_rpc::{Fault, Reason};

use crate::properties::TooLarge;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run was given no properties in this account and region, or belongs to another workflow.
    #[error("the run was given no properties, or belongs to another workflow")]
    RunNotFound,
    /// The put would leave the run with more than it may have; nothing was changed.
    #[error("the properties would be too large")]
    TooLarge(#[from] TooLarge),
    /// The request lacks something or has too much of it, in words for the caller.
    #[error("the request is not valid: {0}")]
    InvalidRequest(String),
    /// The call itself says who calls in a form that cannot be read.
    #[error("the caller is not valid")]
    InvalidCaller(#[from] Fault),
    /// The store failed. After a write nothing is known of what is durable.
    #[error("the store failed")]
    Store(#[source] Box<dyn error::Error + Send + Sync>),
}

/// The only place where a failure of this service becomes a status.
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let fault = match error {
            // The text that AWS answers for workflows and their runs alike.
            Error::RunNotFound => Fault::new(Reason::EntityNotFoundException, "Entity not found"),
            Error::TooLarge(limit) => Fault::new(Reason::ResourceNumberLimitExceededException, limit.to_string()),
            Error::InvalidRequest(words) => Fault::new(Reason::InvalidInputException, words),
            Error::InvalidCaller(fault) => fault,
            Error::Store(failure) => {
                tracing::error!(failure = &*failure, "the store failed");
                Fault::internal()
            }
        };
        fault.into()
    }
}
