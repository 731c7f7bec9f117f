//! AWS JSON → protobuf: reads a request as a stream straight into its message.

mod context;
mod error;
mod ignored;
mod member;
mod message;
mod opaque;
mod path;
mod scalar;

pub use error::{DecodeError, Problem};

use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde::de::DeserializeSeed as _;

use self::{context::Context, message::MessageSeed, path::Path};
use crate::{Limits, Schema};

/// A request that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The request; members with an unknown enum value are left out of it.
    pub message: DynamicMessage,
    /// The enum values that AWS does not have, at most [`UNKNOWN_ENUMS_MAX`](crate::UNKNOWN_ENUMS_MAX).
    ///
    /// They are the sender's mistake to be told of with a `ValidationException`; where this is not empty, `message`
    /// is not what was sent.
    pub unknown_enums: Vec<UnknownEnum>,
}

/// A string where the name of an enum's value has to be, that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownEnum {
    /// The member, as AWS's validation messages name it: `predicate.conditions.2.member.logicalOperator`.
    pub path: String,
    /// What was sent.
    pub value: String,
    /// The names of the enum's values.
    pub allowed: Vec<String>,
}

impl Schema {
    /// Reads a request's body; an empty body is an empty request.
    ///
    /// Unknown members are skipped and a `null` member counts as absent, as AWS does.
    /// `message` is one of the pool that the schema was made of.
    ///
    /// # Errors
    /// When the body is no JSON object of the message's shape, has a member twice, or goes beyond the limits: what AWS
    /// calls a `SerializationException`.
    pub fn decode(&self, message: &MessageDescriptor, body: &[u8], limits: &Limits) -> Result<Decoded, DecodeError> {
        let table = self.table(message);
        if body.is_empty() {
            return Ok(Decoded {
                message: DynamicMessage::new(table.descriptor.clone()),
                unknown_enums: Vec::new(),
            });
        }
        let context = Context::new(self, *limits);
        let mut reader = serde_json::Deserializer::from_slice(body);
        let seed = MessageSeed {
            context: &context,
            table,
            depth: 1,
            path: &Path::ROOT,
        };
        let message = seed
            .deserialize(&mut reader)
            .and_then(|message| reader.end().map(|()| message))
            .map_err(|error| context.explain(&error))?;
        Ok(Decoded {
            message,
            unknown_enums: context.into_unknown_enums(),
        })
    }
}
