//! Writes a `google.protobuf.Struct` as the JSON object that it was.

use super::{
    EncodeError,
    scalar::{text, write_json},
    wire::{Payload, next_field},
};
use crate::ANSWER_DEPTH_MAX;

/// Below this a double that has no fraction is written as an integer; all integers that were read are below.
const INTEGERS_BELOW: f64 = 18_446_744_073_709_551_616.0;

/// Writes a `google.protobuf.Struct`, in the order of its keys.
pub(super) fn object(out: &mut Vec<u8>, bytes: &[u8], depth: usize) -> Result<(), EncodeError> {
    enter(depth)?;
    let mut entries = contents(bytes)?.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    if !entries.is_sorted_by(|left, right| left.0 < right.0) {
        // The last of several entries of one key counts.
        entries.reverse();
        entries.sort_by(|left, right| left.0.cmp(right.0));
        entries.dedup_by(|later, kept| later.0 == kept.0);
    }
    out.push(b'{');
    for (index, (key, content)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_json(out, key);
        out.push(b':');
        value(out, content, depth)?;
    }
    out.push(b'}');
    Ok(())
}

/// Writes a `google.protobuf.ListValue`.
fn list(out: &mut Vec<u8>, bytes: &[u8], depth: usize) -> Result<(), EncodeError> {
    enter(depth)?;
    out.push(b'[');
    for (index, content) in contents(bytes)?.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        value(out, content, depth)?;
    }
    out.push(b']');
    Ok(())
}

/// Writes a `google.protobuf.Value`; one that holds nothing is `null`.
fn value(out: &mut Vec<u8>, mut bytes: &[u8], depth: usize) -> Result<(), EncodeError> {
    let mut last = None;
    while let Some(field) = next_field(&mut bytes)? {
        // The fields are one oneof: the last counts.
        if matches!(field.0, 1..=6) {
            last = Some(field);
        }
    }
    match last {
        None | Some((1, Payload::Varint(_))) => out.extend_from_slice(b"null"),
        Some((2, Payload::Fixed64(bits))) => number(out, f64::from_bits(bits))?,
        Some((3, Payload::Delimited(bytes))) => write_json(out, text(bytes)?),
        Some((4, Payload::Varint(bits))) => write_json(out, &(bits != 0)),
        Some((5, Payload::Delimited(bytes))) => object(out, bytes, depth + 1)?,
        Some((6, Payload::Delimited(bytes))) => list(out, bytes, depth + 1)?,
        Some((field, _)) => return Err(EncodeError::WireType { field }),
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to be an integer of at most 65 bits"
)]
fn number(out: &mut Vec<u8>, number: f64) -> Result<(), EncodeError> {
    if !number.is_finite() {
        return Err(EncodeError::Malformed);
    }
    let is_integer = number.fract() == 0.0 && number.abs() < INTEGERS_BELOW;
    if is_integer && !(number == 0.0 && number.is_sign_negative()) {
        write_json(out, &(number as i128));
    } else {
        write_json(out, &number);
    }
    Ok(())
}

/// A key and the bytes of its value.
fn entry(mut bytes: &[u8]) -> Result<(&str, &[u8]), EncodeError> {
    let (mut key, mut value): (&str, &[u8]) = ("", &[]);
    while let Some((number, payload)) = next_field(&mut bytes)? {
        match (number, payload) {
            (1, Payload::Delimited(bytes)) => key = text(bytes)?,
            (2, Payload::Delimited(bytes)) => value = bytes,
            (field @ (1 | 2), _) => return Err(EncodeError::WireType { field }),
            _ => {}
        }
    }
    Ok((key, value))
}

/// What stands in field 1, which is all that objects and lists have.
fn contents(mut bytes: &[u8]) -> Result<Vec<&[u8]>, EncodeError> {
    let mut contents = Vec::new();
    while let Some((number, payload)) = next_field(&mut bytes)? {
        match (number, payload) {
            (1, Payload::Delimited(content)) => contents.push(content),
            (1, _) => return Err(EncodeError::WireType { field: 1 }),
            _ => {}
        }
    }
    Ok(contents)
}

fn enter(depth: usize) -> Result<(), EncodeError> {
    if depth > ANSWER_DEPTH_MAX {
        return Err(EncodeError::TooDeep);
    }
    Ok(())
}
