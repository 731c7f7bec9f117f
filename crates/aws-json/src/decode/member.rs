//! Reads the value of a member, of a list's element or of a map's entry.

use std::{collections::HashMap, fmt};

use prost_reflect::{MapKey, Value};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{
    context::Context,
    error::Problem,
    message::MessageSeed,
    opaque::ObjectSeed,
    path::Path,
    scalar::{self, Number},
};
use crate::schema::table::{Kind, Shape};

/// Reads one value; `None` where there is none to set: `null`, or an unknown enum value, which is noted.
#[derive(Clone, Copy)]
pub(super) struct MemberSeed<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) slot: Slot<'a>,
    /// How deep an object or list stands that is here.
    pub(super) depth: usize,
    pub(super) path: &'a Path<'a>,
}

/// Where the value goes.
#[derive(Clone, Copy)]
pub(super) enum Slot<'a> {
    /// Into a field; `null` leaves it out.
    Member(&'a Shape),
    /// Into a list or map, where `null` is nothing that AWS takes.
    Element(&'a Kind),
}

impl<'a> MemberSeed<'a> {
    /// What the value is; `None` where it is a list or a map.
    fn kind(&self) -> Option<&'a Kind> {
        match self.slot {
            Slot::Member(Shape::Single(kind)) | Slot::Element(kind) => Some(kind),
            Slot::Member(Shape::List(_) | Shape::Map { .. }) => None,
        }
    }

    fn mismatch<E: Error>(&self) -> E {
        self.context.refuse(Problem::Mismatch(match self.slot {
            Slot::Member(Shape::Single(kind)) | Slot::Element(kind) => scalar::expected(kind),
            Slot::Member(Shape::List(_)) => "a list",
            Slot::Member(Shape::Map { .. }) => "an object",
        }))
    }

    fn number<E: Error>(&self, number: Number) -> Result<Option<Value>, E> {
        let value = self.kind().and_then(|kind| scalar::from_number(kind, number));
        value.map(Some).ok_or_else(|| self.mismatch())
    }

    fn entries<'de, A: MapAccess<'de>>(&self, key: &Kind, value: &Kind, mut object: A) -> Result<Value, A::Error> {
        self.context.enter(self.depth)?;
        // prost-reflect keeps maps in the order of a seeded hash; whoever shows them sorts them.
        let mut entries = HashMap::new();
        while let Some((text, parsed)) = object.next_key_seed(KeySeed {
            context: self.context,
            kind: key,
        })? {
            let element = MemberSeed {
                context: self.context,
                slot: Slot::Element(value),
                depth: self.depth + 1,
                path: &self.path.entry(&text),
            };
            let Some(element) = object.next_value_seed(element)? else {
                continue;
            };
            if entries.insert(parsed, element).is_some() {
                return Err(self.context.refuse(Problem::Duplicate));
            }
        }
        Ok(Value::Map(entries))
    }
}

impl<'de> DeserializeSeed<'de> for MemberSeed<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        self.context.count_token::<D::Error>()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MemberSeed<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of a member")
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Value>, E> {
        match self.slot {
            Slot::Member(_) => Ok(None),
            Slot::Element(_) => Err(self.mismatch()),
        }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Option<Value>, E> {
        match self.kind() {
            Some(Kind::Bool) => Ok(Some(Value::Bool(value))),
            _ => Err(self.mismatch()),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Option<Value>, E> {
        self.number(Number::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Option<Value>, E> {
        self.number(Number::Integer(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Option<Value>, E> {
        self.number(Number::Float(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<Value>, E> {
        match self.kind() {
            Some(Kind::Text) => Ok(Some(Value::String(text.to_owned()))),
            Some(Kind::Bytes) => scalar::from_base64(text)
                .map(Some)
                .ok_or_else(|| self.context.refuse(Problem::NotBase64)),
            Some(Kind::Enum(position)) => {
                let enumeration = &self.context.schema.enums[*position];
                let number = enumeration.number(text);
                if number.is_none() {
                    self.context.note_unknown(self.path, text, enumeration);
                }
                Ok(number.map(Value::EnumNumber))
            }
            _ => Err(self.mismatch()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<Value>, A::Error> {
        let Slot::Member(Shape::List(kind)) = self.slot else {
            return Err(self.mismatch());
        };
        self.context.enter(self.depth)?;
        let mut elements = Vec::new();
        for position in 0.. {
            let element = MemberSeed {
                context: self.context,
                slot: Slot::Element(kind),
                depth: self.depth + 1,
                path: &self.path.element(position),
            };
            match list.next_element_seed(element)? {
                Some(element) => elements.extend(element),
                None => break,
            }
        }
        Ok(Some(Value::List(elements)))
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Option<Value>, A::Error> {
        if let Slot::Member(Shape::Map { key, value }) = self.slot {
            return self.entries(key, value, object).map(Some);
        }
        let value = match self.kind() {
            Some(Kind::Message(position)) => MessageSeed {
                context: self.context,
                table: &self.context.schema.tables[*position],
                depth: self.depth,
                path: self.path,
            }
            .members(object)?,
            Some(Kind::Opaque(descriptor)) => ObjectSeed {
                context: self.context,
                descriptor,
                depth: self.depth,
            }
            .entries(object)?,
            _ => return Err(self.mismatch()),
        };
        Ok(Some(Value::Message(value)))
    }
}

/// Reads the key of a map's entry: its text, and what it is in protobuf.
struct KeySeed<'a> {
    context: &'a Context<'a>,
    kind: &'a Kind,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = (String, MapKey);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(String, MapKey), D::Error> {
        self.context.count_token::<D::Error>()?;
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = (String, MapKey);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(String, MapKey), E> {
        let key = scalar::key(self.kind, text)
            .ok_or_else(|| self.context.refuse(Problem::Mismatch(scalar::expected(self.kind))))?;
        Ok((text.to_owned(), key))
    }
}
