//! Protobuf → AWS JSON: writes an answer from its wire bytes, without making a message of them.

mod error;
mod message;
mod opaque;
mod scalar;
mod timestamp;
mod wire;

pub use error::EncodeError;

use prost_reflect::MessageDescriptor;

use self::message::Encoder;
use crate::Schema;

impl Schema {
    /// Writes an answer as a JSON object to the end of `out`.
    ///
    /// A field that is set is written, zero or not; what is not set is left out, but for the lists and maps that AWS
    /// always sends. Members come in the order of their field numbers, entries of maps in that of their keys.
    /// `message` is one of the pool that the schema was made of.
    ///
    /// # Errors
    /// When the bytes are no such message; `out` then ends in the middle of it.
    pub fn encode(&self, message: &MessageDescriptor, protobuf: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Encoder::new(self, out).message(self.table(message), protobuf, 1)
    }
}
