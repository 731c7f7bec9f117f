//! The one table of error reasons: AWS's exception names with their gRPC codes and HTTP statuses.

use std::{fmt, str::FromStr};

use tonic::Code;

/// Writes the enum, its names, codes and statuses from one table, so that no reason can lack a row.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $code:ident, $status:literal;)*) => {
        /// Why a call failed: the name of an AWS exception, which clients match on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(
            clippy::enum_variant_names,
            reason = "the names are AWS's, and AWS ends each of them in Exception"
        )]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason, in the order of the table.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// AWS's name of the exception.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Reason::$name => stringify!($name),)*
                }
            }

            /// The gRPC status code.
            #[must_use]
            pub const fn grpc_code(self) -> Code {
                match self {
                    $(Reason::$name => Code::$code,)*
                }
            }

            /// The HTTP status of the AWS JSON answer.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self {
                    $(Reason::$name => $status,)*
                }
            }
        }
    };
}

// Glue answers 400 to everything that its model declares but InternalServiceException; the rest are the errors that
// all AWS JSON services share.
reasons! {
    /// The caller may not do this.
    AccessDeniedException => PermissionDenied, 400;
    /// An entity of that name exists.
    AlreadyExistsException => AlreadyExists, 400;
    /// Somebody else changed the entity at the same time.
    ConcurrentModificationException => Aborted, 400;
    /// As many runs as allowed are going on.
    ConcurrentRunsExceededException => ResourceExhausted, 400;
    /// The crawler is not running, so it cannot be stopped.
    CrawlerNotRunningException => FailedPrecondition, 400;
    /// The crawler is running already.
    CrawlerRunningException => FailedPrecondition, 400;
    /// The crawler is being stopped.
    CrawlerStoppingException => FailedPrecondition, 400;
    /// There is no such entity.
    EntityNotFoundException => NotFound, 400;
    /// The key that the request is signed with counts no longer.
    ExpiredTokenException => Unauthenticated, 403;
    /// An entity of that name exists and differs from what was asked for.
    IdempotentParameterMismatchException => AlreadyExists, 400;
    /// The blueprint's state does not allow this.
    IllegalBlueprintStateException => FailedPrecondition, 400;
    /// The workflow run's state does not allow this.
    IllegalWorkflowStateException => FailedPrecondition, 400;
    /// The signature lacks a part.
    IncompleteSignatureException => Unauthenticated, 403;
    /// We failed; nothing is known about what became of the call.
    InternalServiceException => Internal, 500;
    /// The request breaks a rule of the service.
    InvalidInputException => InvalidArgument, 400;
    /// The signature does not fit the request.
    InvalidSignatureException => Unauthenticated, 403;
    /// The request is not signed.
    MissingAuthenticationTokenException => Unauthenticated, 403;
    /// The call took longer than it may; nothing is known about what became of it.
    OperationTimeoutException => DeadlineExceeded, 400;
    /// The request is larger than we take.
    RequestEntityTooLargeException => ResourceExhausted, 413;
    /// There are as many of these as allowed.
    ResourceNumberLimitExceededException => ResourceExhausted, 400;
    /// The request is not the JSON that the operation takes.
    SerializationException => InvalidArgument, 400;
    /// The service cannot be reached now.
    ServiceUnavailableException => Unavailable, 503;
    /// The caller asks too often.
    ThrottlingException => ResourceExhausted, 400;
    /// There is no such operation.
    UnknownOperationException => Unimplemented, 400;
    /// The key that the request is signed with is unknown.
    UnrecognizedClientException => Unauthenticated, 403;
    /// The request breaks a constraint on the shape of a member.
    ValidationException => InvalidArgument, 400;
    /// The entity has another version than the caller thought.
    VersionMismatchException => FailedPrecondition, 400;
}

/// Prints AWS's name of the exception.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads AWS's name of an exception.
impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Reason::ALL
            .iter()
            .copied()
            .find(|reason| reason.as_str() == name)
            .ok_or(UnknownReason)
    }
}

/// A name that is not in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the name of an error reason")]
pub struct UnknownReason;

#[cfg(test)]
mod tests {
    use super::{Reason, UnknownReason};

    #[test]
    fn every_reason_reads_back_from_its_name() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(*reason));
        }
        assert_eq!("NoSuchException".parse::<Reason>(), Err(UnknownReason));
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(Reason::ALL.is_sorted_by_key(|reason| reason.as_str()));
    }
}
