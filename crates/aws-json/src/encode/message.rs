//! Writes a message as a JSON object.

use prost::encoding::WireType;

use super::{
    EncodeError, opaque,
    scalar::{self, Scalar},
    timestamp,
    wire::{self, Payload},
};
use crate::{
    ANSWER_DEPTH_MAX, Schema,
    schema::table::{Field, Kind, Shape, Table},
};

/// A field of the message that is known: its position in the table, and what stands on the wire.
type Record<'b> = (usize, Payload<'b>);

/// Writes one answer.
pub(super) struct Encoder<'a> {
    schema: &'a Schema,
    out: &'a mut Vec<u8>,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(schema: &'a Schema, out: &'a mut Vec<u8>) -> Encoder<'a> {
        Encoder { schema, out }
    }

    /// Writes a message; the answer itself has depth 1.
    pub(super) fn message(&mut self, table: &Table, bytes: &[u8], depth: usize) -> Result<(), EncodeError> {
        if depth > ANSWER_DEPTH_MAX {
            return Err(EncodeError::TooDeep);
        }
        let records = records(table, bytes)?;
        let mut rest = records.as_slice();
        self.out.push(b'{');
        for (position, field) in table.fields.iter().enumerate() {
            let count = rest.iter().take_while(|record| record.0 == position).count();
            let (own, others) = rest.split_at(count);
            rest = others;
            if !own.is_empty() || field.always {
                self.member(field, own, depth)?;
            }
        }
        self.out.push(b'}');
        Ok(())
    }

    fn member(&mut self, field: &Field, records: &[Record<'_>], depth: usize) -> Result<(), EncodeError> {
        let before = self.out.len();
        self.separate(b'{');
        self.out.extend_from_slice(&field.json_name);
        let is_written = match &field.shape {
            Shape::Single(kind) => self.single(kind, field, records, depth)?,
            Shape::List(kind) => self.list(kind, field, records, depth)?,
            Shape::Map { key, value } => self.map(key, value, field, records, depth)?,
        };
        if !is_written {
            self.out.truncate(before);
        }
        Ok(())
    }

    /// Writes the value of a field that may have been set more than once: scalars replace, messages are merged.
    fn single(
        &mut self,
        kind: &Kind,
        field: &Field,
        records: &[Record<'_>],
        depth: usize,
    ) -> Result<bool, EncodeError> {
        match records {
            [] => Ok(false),
            [(_, payload)] => self.value(kind, field, *payload, depth),
            [.., (_, last)] if !matches!(kind, Kind::Message(_) | Kind::Timestamp(_) | Kind::Opaque(_)) => {
                self.value(kind, field, *last, depth)
            }
            several => {
                // Merged messages have the bytes of all, one after the other.
                let mut merged = Vec::new();
                for (_, payload) in several {
                    merged.extend_from_slice(delimited(field, *payload)?);
                }
                self.value(kind, field, Payload::Delimited(&merged), depth)
            }
        }
    }

    fn list(&mut self, kind: &Kind, field: &Field, records: &[Record<'_>], depth: usize) -> Result<bool, EncodeError> {
        let is_packable = scalar::wire_type(kind) != WireType::LengthDelimited;
        self.out.push(b'[');
        for &(_, payload) in records {
            match payload {
                Payload::Delimited(mut packed) if is_packable => {
                    while let Some(payload) = scalar::next_packed(kind, &mut packed)? {
                        self.element(kind, field, payload, depth)?;
                    }
                }
                payload => self.element(kind, field, payload, depth)?,
            }
        }
        self.out.push(b']');
        Ok(true)
    }

    fn element(&mut self, kind: &Kind, field: &Field, payload: Payload<'_>, depth: usize) -> Result<(), EncodeError> {
        let before = self.out.len();
        self.separate(b'[');
        if !self.value(kind, field, payload, depth)? {
            self.out.truncate(before);
        }
        Ok(())
    }

    fn map(
        &mut self,
        key: &Kind,
        value: &Kind,
        field: &Field,
        records: &[Record<'_>],
        depth: usize,
    ) -> Result<bool, EncodeError> {
        let mut entries = Vec::with_capacity(records.len());
        for (_, payload) in records {
            entries.push(entry(key, field, delimited(field, *payload)?)?);
        }
        // Services send maps in order; for others the last of several entries of one key counts.
        if !entries.is_sorted_by(|left, right| left.0 < right.0) {
            entries.reverse();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            entries.dedup_by(|later, kept| later.0 == kept.0);
        }
        self.out.push(b'{');
        for (key, content) in entries {
            let before = self.out.len();
            self.separate(b'{');
            self.out.extend_from_slice(&key);
            self.out.push(b':');
            let is_written = match content {
                Some(payload) => self.value(value, field, payload, depth)?,
                None => self.absent(value, depth)?,
            };
            if !is_written {
                self.out.truncate(before);
            }
        }
        self.out.push(b'}');
        Ok(true)
    }

    /// Writes the value of an entry that has none on the wire.
    fn absent(&mut self, kind: &Kind, depth: usize) -> Result<bool, EncodeError> {
        match kind {
            Kind::Message(_) | Kind::Timestamp(_) | Kind::Opaque(_) => {
                self.delimited_value(kind, &[], depth)?;
                Ok(true)
            }
            Kind::Enum(_) => Ok(false),
            kind => {
                scalar::write(self.out, scalar::default(kind));
                Ok(true)
            }
        }
    }

    /// Writes a value; answers false, and may have written something, where it is an enum that is not set.
    fn value(&mut self, kind: &Kind, field: &Field, payload: Payload<'_>, depth: usize) -> Result<bool, EncodeError> {
        match (kind, payload) {
            (Kind::Message(_) | Kind::Timestamp(_) | Kind::Opaque(_), payload) => {
                self.delimited_value(kind, delimited(field, payload)?, depth)?;
            }
            (Kind::Enum(position), Payload::Varint(bits)) => return self.enumeration(*position, bits),
            (kind, payload) => match scalar::scalar(kind, payload)? {
                Some(scalar) => scalar::write(self.out, scalar),
                None => return Err(wrong_type(field)),
            },
        }
        Ok(true)
    }

    fn delimited_value(&mut self, kind: &Kind, bytes: &[u8], depth: usize) -> Result<(), EncodeError> {
        match kind {
            Kind::Timestamp(_) => timestamp::write(self.out, bytes),
            Kind::Opaque(_) => opaque::object(self.out, bytes, depth + 1),
            Kind::Message(position) => {
                let schema = self.schema;
                self.message(&schema.tables[*position], bytes, depth + 1)
            }
            _ => Err(EncodeError::Malformed),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "protobuf defines an enum as the low bits of the varint"
    )]
    fn enumeration(&mut self, position: usize, bits: u64) -> Result<bool, EncodeError> {
        let number = bits as i32;
        if number == 0 {
            return Ok(false);
        }
        let name = self.schema.enums[position]
            .json_name(number)
            .ok_or(EncodeError::UnknownEnum(number))?;
        self.out.extend_from_slice(name);
        Ok(true)
    }

    /// Writes a comma, unless what was opened has just been opened.
    fn separate(&mut self, opening: u8) {
        if self.out.last() != Some(&opening) {
            self.out.push(b',');
        }
    }
}

/// The fields that the table knows, in its order; those of one field in the order of the wire.
fn records<'b>(table: &Table, mut bytes: &'b [u8]) -> Result<Vec<Record<'b>>, EncodeError> {
    let mut records = Vec::new();
    while let Some((number, payload)) = wire::next_field(&mut bytes)? {
        // A field that is unknown comes from a service that is newer than we are.
        if let Some(position) = table.by_number(number) {
            records.push((position, payload));
        }
    }
    if !records.is_sorted_by_key(|record| record.0) {
        records.sort_by_key(|record| record.0);
    }
    Ok(records)
}

/// An entry's key as JSON, and its value.
fn entry<'b>(kind: &Kind, field: &Field, mut bytes: &'b [u8]) -> Result<(Vec<u8>, Option<Payload<'b>>), EncodeError> {
    let mut key = scalar::default(kind);
    let mut value = None;
    while let Some((number, payload)) = wire::next_field(&mut bytes)? {
        match number {
            1 => key = scalar::scalar(kind, payload)?.ok_or_else(|| wrong_type(field))?,
            2 => value = Some(payload),
            _ => {}
        }
    }
    let mut json = Vec::new();
    match key {
        text @ Scalar::Text(_) => scalar::write(&mut json, text),
        other => {
            // Keys are strings in JSON, and no other kind of key needs escapes.
            json.push(b'"');
            scalar::write(&mut json, other);
            json.push(b'"');
        }
    }
    Ok((json, value))
}

fn delimited<'b>(field: &Field, payload: Payload<'b>) -> Result<&'b [u8], EncodeError> {
    match payload {
        Payload::Delimited(bytes) => Ok(bytes),
        Payload::Varint(_) | Payload::Fixed32(_) | Payload::Fixed64(_) => Err(wrong_type(field)),
    }
}

fn wrong_type(field: &Field) -> EncodeError {
    EncodeError::WireType { field: field.number }
}
