//! Skips a member that we do not know, as AWS does, but within the limits.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::context::Context;

/// Reads any value and keeps nothing of it.
///
/// Counts as everything else does; serde's own `IgnoredAny` would let an unknown member be as deep as it likes, and
/// strings in it be no UTF-8. Members that are there twice in it are not looked for: none of them means anything.
#[derive(Clone, Copy)]
pub(super) struct Ignored<'a> {
    context: &'a Context<'a>,
    depth: usize,
}

impl<'a> Ignored<'a> {
    /// A value that is at this depth if it is an object or a list.
    pub(super) fn new(context: &'a Context<'a>, depth: usize) -> Ignored<'a> {
        Ignored { context, depth }
    }

    fn inside(self) -> Ignored<'a> {
        Ignored {
            depth: self.depth + 1,
            ..self
        }
    }
}

impl<'de> DeserializeSeed<'de> for Ignored<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.context.count_token::<D::Error>()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Ignored<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.context.enter(self.depth)?;
        while list.next_element_seed(self.inside())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        self.context.enter(self.depth)?;
        while object.next_key_seed(self.inside())?.is_some() {
            object.next_value_seed(self.inside())?;
        }
        Ok(())
    }
}
