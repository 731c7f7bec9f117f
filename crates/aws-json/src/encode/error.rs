//! Why bytes are not the message that they should be.

/// What is wrong with the bytes of an answer: a bug of ours, or of the service that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// They end too early, or are no protobuf at all.
    #[error("the answer is not protobuf")]
    Malformed,
    /// A field is written as another type.
    #[error("field {field} of the answer has another type")]
    WireType {
        /// The field's number.
        field: u32,
    },
    /// A string is no UTF-8.
    #[error("a string of the answer is not UTF-8")]
    NotUtf8,
    /// An enum has no value of that number: the service is newer than we are.
    #[error("the answer has an enum value {0} that is not known")]
    UnknownEnum(i32),
    /// A time has no nanoseconds of a second.
    #[error("a time of the answer is not one")]
    NotATime,
    /// Messages nest too deep.
    #[error("the answer nests too deep")]
    TooDeep,
}
