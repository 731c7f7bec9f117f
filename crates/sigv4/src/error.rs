//! Why a signature does not count.

/// Why a request's signature does not count; each has AWS's own exception and words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request has no signature (`MissingAuthenticationTokenException`).
    #[error("Missing Authentication Token")]
    Missing,
    /// The signature lacks a part, or a part has no form (`IncompleteSignatureException`).
    #[error("{0}")]
    Incomplete(String),
    /// It is not what the secret makes of the request (`InvalidSignatureException`).
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
    /// It was made too long ago (`InvalidSignatureException`).
    #[error("Signature expired: {signed} is now earlier than {earliest} ({now} - 15 min.)")]
    Expired {
        /// When it was made.
        signed: String,
        /// The earliest time that counts.
        earliest: String,
        /// What time it is.
        now: String,
    },
    /// It was made in the future (`InvalidSignatureException`).
    #[error("Signature not yet current: {signed} is still later than {latest} ({now} + 15 min.)")]
    NotYetCurrent {
        /// When it was made.
        signed: String,
        /// The latest time that counts.
        latest: String,
        /// What time it is.
        now: String,
    },
}
