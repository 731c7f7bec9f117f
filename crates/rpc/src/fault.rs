//! The error of every call: a reason that clients match on and a sentence for people.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::reason::Reason;

/// The domain of our error reasons in `google.rpc.ErrorInfo` (AIP-193).
pub const ERROR_DOMAIN: &str = "treenail";

/// Why a call failed.
///
/// Crosses the wire as a gRPC status with `google.rpc.ErrorInfo`, so that every client, gRPC or AWS JSON, can match
/// on the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Fault {
    /// What clients match on.
    pub reason: Reason,
    /// What people read; where AWS's text is known, AWS's text.
    pub message: String,
}

impl Fault {
    /// A failure for a reason, with the sentence that the client is told.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Fault {
        Fault {
            reason,
            message: message.into(),
        }
    }

    /// Our own failure, in words that give nothing away; what really happened belongs into the log.
    #[must_use]
    pub fn internal() -> Fault {
        Fault::new(Reason::InternalServiceException, "An internal service error occurred.")
    }

    /// The failure that a status carries.
    ///
    /// A status without our `ErrorInfo` comes from below the services: from the transport or from tonic. Its own text
    /// may speak of addresses and internals, so the client is told a general sentence instead.
    #[must_use]
    pub fn from_status(status: &Status) -> Fault {
        let named = status
            .get_details_error_info()
            .filter(|info| info.domain == ERROR_DOMAIN)
            .and_then(|info| info.reason.parse::<Reason>().ok());
        match named {
            Some(reason) => Fault::new(reason, status.message()),
            None => Fault::from_code(status.code()),
        }
    }

    fn from_code(code: Code) -> Fault {
        match code {
            Code::Unavailable => Fault::new(
                Reason::ServiceUnavailableException,
                "The service cannot be reached at the moment.",
            ),
            // tonic ends a call with Cancelled when its `grpc-timeout` has passed.
            Code::DeadlineExceeded | Code::Cancelled => {
                Fault::new(Reason::OperationTimeoutException, "The operation timed out.")
            }
            Code::ResourceExhausted => Fault::new(Reason::ThrottlingException, "Rate exceeded"),
            Code::InvalidArgument => Fault::new(Reason::InvalidInputException, "The input provided was not valid."),
            Code::Unimplemented => Fault::new(Reason::UnknownOperationException, "There is no such operation."),
            Code::Ok
            | Code::Unknown
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Internal
            | Code::DataLoss
            | Code::Unauthenticated => Fault::internal(),
        }
    }
}

/// The status that carries the failure to the caller.
impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let details = ErrorDetails::with_error_info(fault.reason.as_str(), ERROR_DOMAIN, HashMap::new());
        Status::with_error_details(fault.reason.grpc_code(), fault.message, details)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::{Fault, Reason};

    #[test]
    fn a_fault_survives_the_wire() {
        for reason in Reason::ALL {
            let fault = Fault::new(*reason, "Job <n> nicht gefunden: ü");
            let status = Status::from(fault.clone());
            assert_eq!(status.code(), reason.grpc_code());
            assert_eq!(Fault::from_status(&status), fault);
        }
    }

    #[test]
    fn a_status_without_a_reason_of_ours_tells_nothing_of_its_text() {
        let rows = [
            (Code::Unavailable, Reason::ServiceUnavailableException),
            (Code::DeadlineExceeded, Reason::OperationTimeoutException),
            (Code::Cancelled, Reason::OperationTimeoutException),
            (Code::ResourceExhausted, Reason::ThrottlingException),
            (Code::InvalidArgument, Reason::InvalidInputException),
            (Code::Unimplemented, Reason::UnknownOperationException),
            (Code::Internal, Reason::InternalServiceException),
            (Code::Unknown, Reason::InternalServiceException),
        ];
        for (code, reason) in rows {
            let fault = Fault::from_status(&Status::new(code, "tcp connect error: 10.1.2.3"));
            assert_eq!(fault.reason, reason, "{code:?}");
            assert!(!fault.message.contains("10.1.2.3"), "{code:?}");
        }
    }

    #[test]
    fn a_reason_of_a_foreign_domain_is_not_ours() {
        let details = ErrorDetails::with_error_info("EntityNotFoundException", "example.com", HashMap::new());
        let status = Status::with_error_details(Code::Unavailable, "secret", details);
        assert_eq!(Fault::from_status(&status).reason, Reason::ServiceUnavailableException);
    }
}
