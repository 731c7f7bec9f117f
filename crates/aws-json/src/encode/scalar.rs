//! Protobuf's scalars as JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::encoding::WireType;
use serde::Serialize;

use super::{
    EncodeError,
    wire::{self, Payload},
};
use crate::schema::table::Kind;

/// A value that is neither a message nor an enum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'b> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f32),
    Double(f64),
    Text(&'b str),
    Bytes(&'b [u8]),
}

/// How protobuf writes a kind; a packed list is a run of these.
pub(super) fn wire_type(kind: &Kind) -> WireType {
    match kind {
        Kind::Bool
        | Kind::Int32
        | Kind::Sint32
        | Kind::Uint32
        | Kind::Int64
        | Kind::Sint64
        | Kind::Uint64
        | Kind::Enum(_) => WireType::Varint,
        Kind::Sfixed32 | Kind::Fixed32 | Kind::Float => WireType::ThirtyTwoBit,
        Kind::Sfixed64 | Kind::Fixed64 | Kind::Double => WireType::SixtyFourBit,
        Kind::Text | Kind::Bytes | Kind::Message(_) | Kind::Timestamp(_) | Kind::Opaque(_) => WireType::LengthDelimited,
    }
}

/// Takes the next value off the front of a packed list; `None` at the end.
pub(super) fn next_packed<'b>(kind: &Kind, rest: &mut &'b [u8]) -> Result<Option<Payload<'b>>, EncodeError> {
    if rest.is_empty() {
        return Ok(None);
    }
    let payload = match wire_type(kind) {
        WireType::Varint => Payload::Varint(wire::varint(rest)?),
        WireType::ThirtyTwoBit => Payload::Fixed32(wire::fixed32(rest)?),
        WireType::SixtyFourBit => Payload::Fixed64(wire::fixed64(rest)?),
        WireType::LengthDelimited | WireType::StartGroup | WireType::EndGroup => return Err(EncodeError::Malformed),
    };
    Ok(Some(payload))
}

/// The scalar that a field holds; `None` where its wire type is not the kind's.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "protobuf defines integers of 32 bits as the low bits of the varint"
)]
pub(super) fn scalar<'b>(kind: &Kind, payload: Payload<'b>) -> Result<Option<Scalar<'b>>, EncodeError> {
    Ok(Some(match (kind, payload) {
        (Kind::Bool, Payload::Varint(bits)) => Scalar::Bool(bits != 0),
        (Kind::Int32, Payload::Varint(bits)) => Scalar::Signed(i64::from(bits as i32)),
        (Kind::Sint32, Payload::Varint(bits)) => Scalar::Signed(i64::from(unzigzag(u64::from(bits as u32)) as i32)),
        (Kind::Sfixed32, Payload::Fixed32(bits)) => Scalar::Signed(i64::from(bits as i32)),
        (Kind::Uint32, Payload::Varint(bits)) => Scalar::Unsigned(u64::from(bits as u32)),
        (Kind::Fixed32, Payload::Fixed32(bits)) => Scalar::Unsigned(u64::from(bits)),
        (Kind::Int64, Payload::Varint(bits)) => Scalar::Signed(bits as i64),
        (Kind::Sint64, Payload::Varint(bits)) => Scalar::Signed(unzigzag(bits)),
        (Kind::Sfixed64, Payload::Fixed64(bits)) => Scalar::Signed(bits as i64),
        (Kind::Uint64, Payload::Varint(bits)) => Scalar::Unsigned(bits),
        (Kind::Fixed64, Payload::Fixed64(bits)) => Scalar::Unsigned(bits),
        (Kind::Float, Payload::Fixed32(bits)) => Scalar::Float(f32::from_bits(bits)),
        (Kind::Double, Payload::Fixed64(bits)) => Scalar::Double(f64::from_bits(bits)),
        (Kind::Text, Payload::Delimited(bytes)) => Scalar::Text(text(bytes)?),
        (Kind::Bytes, Payload::Delimited(bytes)) => Scalar::Bytes(bytes),
        _ => return Ok(None),
    }))
}

/// The value of a map's key or value that is not written.
pub(super) fn default(kind: &Kind) -> Scalar<'static> {
    match kind {
        Kind::Bool => Scalar::Bool(false),
        Kind::Float => Scalar::Float(0.0),
        Kind::Double => Scalar::Double(0.0),
        Kind::Text => Scalar::Text(""),
        Kind::Bytes => Scalar::Bytes(&[]),
        _ => Scalar::Signed(0),
    }
}

/// A string's bytes as text.
pub(super) fn text(bytes: &[u8]) -> Result<&str, EncodeError> {
    std::str::from_utf8(bytes).map_err(|_| EncodeError::NotUtf8)
}

/// Writes a scalar.
pub(super) fn write(out: &mut Vec<u8>, scalar: Scalar<'_>) {
    match scalar {
        Scalar::Bool(value) => write_json(out, &value),
        Scalar::Signed(value) => write_json(out, &value),
        Scalar::Unsigned(value) => write_json(out, &value),
        Scalar::Float(value) if value.is_finite() => write_json(out, &value),
        Scalar::Float(value) => write_not_finite(out, value.into()),
        Scalar::Double(value) if value.is_finite() => write_json(out, &value),
        Scalar::Double(value) => write_not_finite(out, value),
        Scalar::Text(text) => write_json(out, text),
        Scalar::Bytes(bytes) => write_json(out, STANDARD.encode(bytes).as_str()),
    }
}

/// Writes a value that serde knows.
pub(super) fn write_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("scalars are JSON, and memory takes every byte");
}

/// AWS JSON has names for the numbers that JSON has not.
fn write_not_finite(out: &mut Vec<u8>, value: f64) {
    let name: &[u8] = if value.is_nan() {
        b"\"NaN\""
    } else if value > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    };
    out.extend_from_slice(name);
}

#[expect(
    clippy::cast_possible_wrap,
    reason = "the shift leaves 63 bits, and the last bit is one"
)]
fn unzigzag(bits: u64) -> i64 {
    (bits >> 1) as i64 ^ -((bits & 1) as i64)
}
