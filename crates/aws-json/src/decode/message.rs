//! Reads a JSON object into a message.

use std::fmt;

use prost_reflect::DynamicMessage;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::{
    context::Context,
    error::Problem,
    ignored::Ignored,
    member::{MemberSeed, Slot},
    path::Path,
};
use crate::schema::table::Table;

/// Reads one message.
pub(super) struct MessageSeed<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) table: &'a Table,
    /// How deep the message stands; the request itself has 1.
    pub(super) depth: usize,
    pub(super) path: &'a Path<'a>,
}

impl<'a> MessageSeed<'a> {
    /// Reads the members of an object that has begun.
    pub(super) fn members<'de, A: MapAccess<'de>>(&self, mut object: A) -> Result<DynamicMessage, A::Error> {
        self.context.enter(self.depth)?;
        let mut message = DynamicMessage::new(self.table.descriptor.clone());
        let mut seen = vec![false; self.table.fields.len()];
        let name = NameSeed {
            context: self.context,
            table: self.table,
        };
        while let Some(position) = object.next_key_seed(&name)? {
            let Some(position) = position else {
                object.next_value_seed(Ignored::new(self.context, self.depth + 1))?;
                continue;
            };
            if std::mem::replace(&mut seen[position], true) {
                return Err(self.context.refuse(Problem::Duplicate));
            }
            let field = &self.table.fields[position];
            let member = MemberSeed {
                context: self.context,
                slot: Slot::Member(&field.shape),
                depth: self.depth + 1,
                path: &self.path.member(&field.path_name),
            };
            if let Some(value) = object.next_value_seed(member)? {
                message.set_field(&field.descriptor, value);
            }
        }
        Ok(message)
    }
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = DynamicMessage;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<DynamicMessage, D::Error> {
        self.context.count_token::<D::Error>()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = DynamicMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<DynamicMessage, A::Error> {
        self.members(object)
    }
}

/// Finds the field that a member's name means; none for a name that AWS may have and we do not.
struct NameSeed<'a> {
    context: &'a Context<'a>,
    table: &'a Table,
}

impl<'de> DeserializeSeed<'de> for &NameSeed<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        self.context.count_token::<D::Error>()?;
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for &NameSeed<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.table.by_name(name))
    }
}
