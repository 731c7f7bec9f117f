//! Values that tell when they were damaged.
//!
//! A damaged value is seldom one that cannot be decoded: most often it decodes to something else. So a checksum follows it.

const CHECKSUM_BYTES: usize = 4;

/// The value is not the one that was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored value was damaged")]
pub struct Damaged;

/// Seals a value: its checksum (CRC-32C, little-endian) follows it.
#[must_use]
pub fn seal(mut value: Vec<u8>) -> Vec<u8> {
    let checksum = crc32c::crc32c(&value);
    value.extend_from_slice(&checksum.to_le_bytes());
    value
}

/// The value that was sealed.
///
/// # Errors
/// [`Damaged`] when it is another one by now.
pub fn open(sealed: &[u8]) -> Result<&[u8], Damaged> {
    let (value, checksum) = sealed.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Damaged)?;
    if crc32c::crc32c(value) == u32::from_le_bytes(*checksum) {
        Ok(value)
    } else {
        Err(Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_and_every_flipped_bit_and_every_cut_is_noticed() {
        for value in [&b""[..], b"a", b"a value of some length"] {
            let sealed = seal(value.to_vec());
            assert_eq!(open(&sealed), Ok(value));
            for bit in 0..sealed.len() * 8 {
                let mut flipped = sealed.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(open(&flipped), Err(Damaged), "bit {bit}");
            }
            for length in 0..sealed.len() {
                assert_eq!(open(&sealed[..length]), Err(Damaged), "cut to {length}");
            }
        }
    }
}
