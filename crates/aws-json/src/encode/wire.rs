//! Reads protobuf's wire format.

use prost::encoding::{WireType, decode_key, decode_varint};

use super::EncodeError;

/// One field as it stands on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payload<'b> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Delimited(&'b [u8]),
}

/// Takes the next field off the front; `None` at the end.
pub(super) fn next_field<'b>(rest: &mut &'b [u8]) -> Result<Option<(u32, Payload<'b>)>, EncodeError> {
    if rest.is_empty() {
        return Ok(None);
    }
    let (number, wire_type) = decode_key(rest).map_err(malformed)?;
    let payload = match wire_type {
        WireType::Varint => Payload::Varint(varint(rest)?),
        WireType::SixtyFourBit => Payload::Fixed64(fixed64(rest)?),
        WireType::ThirtyTwoBit => Payload::Fixed32(fixed32(rest)?),
        WireType::LengthDelimited => {
            let length = usize::try_from(varint(rest)?).map_err(|_| EncodeError::Malformed)?;
            let (content, after) = rest.split_at_checked(length).ok_or(EncodeError::Malformed)?;
            *rest = after;
            Payload::Delimited(content)
        }
        // Groups are older than proto3.
        WireType::StartGroup | WireType::EndGroup => return Err(EncodeError::Malformed),
    };
    Ok(Some((number, payload)))
}

/// Takes a variable-length integer off the front.
pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, EncodeError> {
    decode_varint(rest).map_err(malformed)
}

/// Takes eight bytes off the front.
pub(super) fn fixed64(rest: &mut &[u8]) -> Result<u64, EncodeError> {
    let (bytes, after) = rest.split_first_chunk().ok_or(EncodeError::Malformed)?;
    *rest = after;
    Ok(u64::from_le_bytes(*bytes))
}

/// Takes four bytes off the front.
pub(super) fn fixed32(rest: &mut &[u8]) -> Result<u32, EncodeError> {
    let (bytes, after) = rest.split_first_chunk().ok_or(EncodeError::Malformed)?;
    *rest = after;
    Ok(u32::from_le_bytes(*bytes))
}

fn malformed(_: prost::DecodeError) -> EncodeError {
    EncodeError::Malformed
}
