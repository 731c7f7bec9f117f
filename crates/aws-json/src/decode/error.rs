//! Why a body is not the request that it should be. Never repeats what the body says.

/// Where and why a body cannot be read: AWS's `SerializationException`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at line {line}, column {column}")]
pub struct DecodeError {
    /// What is wrong.
    pub problem: Problem,
    /// The line, from 1.
    pub line: usize,
    /// The byte in the line, from 1; 0 for the line's beginning.
    pub column: usize,
}

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is no JSON: also bytes that are no UTF-8, lone surrogates, numbers beyond a double, a byte order mark.
    #[error("The request is not valid JSON")]
    Syntax,
    /// It ends too early.
    #[error("The request ends in the middle of its JSON")]
    Truncated,
    /// A value has another type than its member, or does not fit it; the text says what it should be.
    #[error("The value is not {0}")]
    Mismatch(&'static str),
    /// A string should be base64 and is not.
    #[error("The value is not base64")]
    NotBase64,
    /// An object has a member twice, or a map a key.
    #[error("The member is there twice")]
    Duplicate,
    /// Objects and lists nest too deep.
    #[error("The request nests too deep")]
    TooDeep,
    /// There are too many names and values.
    #[error("The request has too many members and values")]
    TooManyTokens,
}
