//! JSON's numbers and strings as protobuf values.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost_reflect::{DynamicMessage, MapKey, MessageDescriptor, Value};

use crate::schema::table::Kind;

/// The first and the last second that a `google.protobuf.Timestamp` may name: the years 1 to 9999.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// A number as JSON writes it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    /// Without a fraction or an exponent, and within 64 bits.
    Integer(i128),
    /// With a fraction or an exponent, beyond 64 bits, or `-0`.
    Float(f64),
}

/// What a value of a kind has to be, for people.
pub(super) fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "a boolean",
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "an integer of 32 bits",
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "an integer of 64 bits",
        Kind::Uint32 | Kind::Fixed32 => "an unsigned integer of 32 bits",
        Kind::Uint64 | Kind::Fixed64 => "an unsigned integer of 64 bits",
        Kind::Float | Kind::Double => "a number",
        Kind::Text | Kind::Enum(_) => "a string",
        Kind::Bytes => "a base64 string",
        Kind::Message(_) | Kind::Opaque(_) => "an object",
        Kind::Timestamp(_) => "a time in seconds since 1970",
    }
}

/// A number as a value of a kind; `None` where it is none, or does not fit.
pub(super) fn from_number(kind: &Kind, number: Number) -> Option<Value> {
    match (kind, number) {
        (Kind::Float, number) => single(to_double(number)).map(Value::F32),
        (Kind::Double, number) => Some(Value::F64(to_double(number))),
        (Kind::Timestamp(descriptor), number) => timestamp(descriptor, number),
        (kind, Number::Integer(integer)) => match kind {
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => integer.try_into().ok().map(Value::I32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => integer.try_into().ok().map(Value::I64),
            Kind::Uint32 | Kind::Fixed32 => integer.try_into().ok().map(Value::U32),
            Kind::Uint64 | Kind::Fixed64 => integer.try_into().ok().map(Value::U64),
            _ => None,
        },
        // `1.0`, `1e3`, `-0` and 30 digits are no integers.
        (_, Number::Float(_)) => None,
    }
}

/// Standard base64 with padding.
pub(super) fn from_base64(text: &str) -> Option<Value> {
    STANDARD.decode(text).ok().map(|bytes| Value::Bytes(bytes.into()))
}

/// A map's key from its text.
pub(super) fn key(kind: &Kind, text: &str) -> Option<MapKey> {
    match kind {
        Kind::Bool => text.parse().ok().map(MapKey::Bool),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => text.parse().ok().map(MapKey::I32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => text.parse().ok().map(MapKey::I64),
        Kind::Uint32 | Kind::Fixed32 => text.parse().ok().map(MapKey::U32),
        Kind::Uint64 | Kind::Fixed64 => text.parse().ok().map(MapKey::U64),
        _ => Some(MapKey::String(text.to_owned())),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a double is what the member holds")]
fn to_double(number: Number) -> f64 {
    match number {
        Number::Integer(integer) => integer as f64,
        Number::Float(float) => float,
    }
}

/// A float, unless the number is too large for one.
#[expect(clippy::cast_possible_truncation, reason = "a float is what the member holds")]
fn single(number: f64) -> Option<f32> {
    let float = number as f32;
    float.is_finite().then_some(float)
}

/// Epoch seconds, exact to the millisecond as all of AWS's times.
fn timestamp(descriptor: &MessageDescriptor, number: Number) -> Option<Value> {
    let millis = match number {
        Number::Integer(seconds) => i64::try_from(seconds).ok()?.checked_mul(1_000)?,
        Number::Float(seconds) => whole_millis(seconds)?,
    };
    let seconds = millis.div_euclid(1_000);
    if !SECONDS.contains(&seconds) {
        return None;
    }
    let nanos = i32::try_from(millis.rem_euclid(1_000) * NANOS_PER_MILLI).expect("less than a second in nanoseconds");
    let mut message = DynamicMessage::new(descriptor.clone());
    message.set_field_by_number(1, Value::I64(seconds));
    message.set_field_by_number(2, Value::I32(nanos));
    Some(Value::Message(message))
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be far within 64 bits")]
fn whole_millis(seconds: f64) -> Option<i64> {
    let millis = (seconds * 1_000.0).round();
    (millis.abs() < 1e15).then_some(millis as i64)
}
