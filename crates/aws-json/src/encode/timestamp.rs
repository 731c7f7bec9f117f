//! `google.protobuf.Timestamp` as epoch seconds.

use super::{
    EncodeError,
    scalar::write_json,
    wire::{self, Payload},
};

const NANOS_PER_MILLI: i128 = 1_000_000;

/// Writes epoch seconds with as many decimals as the milliseconds need, at most three: `1602811020.518`, `1602811020`.
///
/// All of AWS's SDKs read either as a number. What is less than a millisecond is cut.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "protobuf defines an int32 as the low bits of the varint"
)]
pub(super) fn write(out: &mut Vec<u8>, mut bytes: &[u8]) -> Result<(), EncodeError> {
    let (mut seconds, mut nanos) = (0_i64, 0_i32);
    while let Some((number, payload)) = wire::next_field(&mut bytes)? {
        match (number, payload) {
            (1, Payload::Varint(bits)) => seconds = bits as i64,
            (2, Payload::Varint(bits)) => nanos = bits as i32,
            (field @ (1 | 2), _) => return Err(EncodeError::WireType { field }),
            _ => {}
        }
    }
    if !(0..1_000_000_000).contains(&nanos) {
        return Err(EncodeError::NotATime);
    }
    let millis = i128::from(seconds) * 1_000 + i128::from(nanos) / NANOS_PER_MILLI;
    if millis < 0 {
        out.push(b'-');
    }
    let whole = u64::try_from(millis.unsigned_abs() / 1_000).map_err(|_| EncodeError::NotATime)?;
    write_json(out, &whole);
    write_fraction(out, (millis.unsigned_abs() % 1_000) as u16);
    Ok(())
}

fn write_fraction(out: &mut Vec<u8>, millis: u16) {
    if millis > 0 {
        let digits = [millis / 100, millis / 10 % 10, millis % 10];
        let needed = 3 - digits.iter().rev().take_while(|digit| **digit == 0).count();
        out.push(b'.');
        out.extend(
            digits[..needed]
                .iter()
                .filter_map(|digit| u8::try_from(*digit).ok())
                .map(|digit| b'0' + digit),
        );
    }
}
