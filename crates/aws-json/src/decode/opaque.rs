//! Reads a JSON object that is kept as it is into a `google.protobuf.Struct`.

use std::{collections::HashMap, fmt};

use prost_reflect::{DynamicMessage, Kind, MapKey, MessageDescriptor, Value};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{context::Context, error::Problem};

/// The field of `google.protobuf.Struct` and of `google.protobuf.ListValue`.
const CONTENT: u32 = 1;

/// From here on a double cannot tell what digits it was written with (2^64).
const DIGITS_UNKNOWN_FROM: f64 = 18_446_744_073_709_551_616.0;

const EXPECTED_NUMBER: &str = "a number that a double holds exactly";

/// The fields of `google.protobuf.Value`, which are one oneof.
mod field {
    pub(super) const NULL: u32 = 1;
    pub(super) const NUMBER: u32 = 2;
    pub(super) const TEXT: u32 = 3;
    pub(super) const BOOL: u32 = 4;
    pub(super) const OBJECT: u32 = 5;
    pub(super) const LIST: u32 = 6;
}

/// Reads an object.
#[derive(Clone, Copy)]
pub(super) struct ObjectSeed<'a> {
    pub(super) context: &'a Context<'a>,
    /// That of `google.protobuf.Struct`.
    pub(super) descriptor: &'a MessageDescriptor,
    /// How deep the object stands.
    pub(super) depth: usize,
}

impl ObjectSeed<'_> {
    /// Reads the entries of an object that has begun.
    pub(super) fn entries<'de, A: MapAccess<'de>>(&self, mut object: A) -> Result<DynamicMessage, A::Error> {
        self.context.enter(self.depth)?;
        let descriptor = value_descriptor(self.descriptor);
        let mut entries = HashMap::new();
        while let Some(key) = object.next_key::<String>()? {
            self.context.count_token::<A::Error>()?;
            let value = object.next_value_seed(ValueSeed {
                context: self.context,
                object: self.descriptor,
                descriptor: &descriptor,
                depth: self.depth + 1,
            })?;
            if entries.insert(MapKey::String(key), Value::Message(value)).is_some() {
                return Err(self.context.refuse(Problem::Duplicate));
            }
        }
        let mut message = DynamicMessage::new(self.descriptor.clone());
        message.set_field_by_number(CONTENT, Value::Map(entries));
        Ok(message)
    }
}

/// Reads a value of an object or a list.
#[derive(Clone, Copy)]
struct ValueSeed<'a> {
    context: &'a Context<'a>,
    /// That of `google.protobuf.Struct`.
    object: &'a MessageDescriptor,
    /// That of `google.protobuf.Value`.
    descriptor: &'a MessageDescriptor,
    /// How deep an object or list stands that is here.
    depth: usize,
}

impl ValueSeed<'_> {
    fn value(&self, field: u32, content: Value) -> DynamicMessage {
        let mut message = DynamicMessage::new(self.descriptor.clone());
        message.set_field_by_number(field, content);
        message
    }

    fn number<E: Error>(&self, number: Option<f64>) -> Result<DynamicMessage, E> {
        match number {
            Some(number) => Ok(self.value(field::NUMBER, Value::F64(number))),
            None => Err(self.context.refuse(Problem::Mismatch(EXPECTED_NUMBER))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = DynamicMessage;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<DynamicMessage, D::Error> {
        self.context.count_token::<D::Error>()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = DynamicMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<DynamicMessage, E> {
        Ok(self.value(field::NULL, Value::EnumNumber(0)))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<DynamicMessage, E> {
        Ok(self.value(field::BOOL, Value::Bool(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<DynamicMessage, E> {
        self.number(exact(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<DynamicMessage, E> {
        self.number(exact(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<DynamicMessage, E> {
        self.number((value.abs() < DIGITS_UNKNOWN_FROM).then_some(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<DynamicMessage, E> {
        Ok(self.value(field::TEXT, Value::String(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<DynamicMessage, A::Error> {
        self.context.enter(self.depth)?;
        let inside = ValueSeed {
            depth: self.depth + 1,
            ..self
        };
        let mut elements = Vec::new();
        while let Some(element) = list.next_element_seed(inside)? {
            elements.push(Value::Message(element));
        }
        let mut message = DynamicMessage::new(content_descriptor(self.descriptor, field::LIST));
        message.set_field_by_number(CONTENT, Value::List(elements));
        Ok(self.value(field::LIST, Value::Message(message)))
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<DynamicMessage, A::Error> {
        let seed = ObjectSeed {
            context: self.context,
            descriptor: self.object,
            depth: self.depth,
        };
        let message = seed.entries(object)?;
        Ok(self.value(field::OBJECT, Value::Message(message)))
    }
}

/// The integer as a double, where that holds it exactly.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "whether it is exact is what is asked"
)]
fn exact(integer: i128) -> Option<f64> {
    let double = integer as f64;
    (double as i128 == integer).then_some(double)
}

/// The descriptor of `google.protobuf.Value`, the values of a `google.protobuf.Struct`.
fn value_descriptor(object: &MessageDescriptor) -> MessageDescriptor {
    let entry = content_descriptor(object, CONTENT);
    match entry.map_entry_value_field().kind() {
        Kind::Message(value) => value,
        other => unreachable!("google/protobuf/struct.proto maps to messages, not to {other:?}"),
    }
}

/// The descriptor of the message that a field of one of Google's messages holds.
fn content_descriptor(message: &MessageDescriptor, field: u32) -> MessageDescriptor {
    message
        .get_field(field)
        .and_then(|field| field.kind().as_message().cloned())
        .expect("google/protobuf/struct.proto declares the field as a message")
}
