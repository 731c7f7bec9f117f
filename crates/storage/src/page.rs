//! Page tokens: where the next page of a listing starts, as a text that clients carry unread.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// The longest token, in characters.
pub const TOKEN_LENGTH_MAX: usize = 2_048;
/// The longest position, in bytes.
pub const POSITION_BYTES_MAX: usize = TOKEN_LENGTH_MAX / 4 * 3 - CHECKSUM_BYTES;

const CHECKSUM_BYTES: usize = 16;
/// The first thing that is summed up: raise it when the form of positions changes, and old tokens are refused.
const VERSION: &str = "1";

/// Makes and reads page tokens.
///
/// A token carries the position of the last row of a page, in the listing's own order, and a checksum over that and the
/// binding: the operation, the scope and the filters. One from another listing, or one that was cut or changed, is
/// refused. It is no secret and proves nothing: a listing must still look only at rows of its own scope.
#[derive(Debug)]
pub struct Token;

impl Token {
    /// The token of the page after `position`, in a listing of that binding.
    ///
    /// # Panics
    /// When the position is longer than [`POSITION_BYTES_MAX`]. Positions are made of names and ids, whose lengths
    /// are limited.
    #[must_use]
    pub fn encode(binding: &[&str], position: &[u8]) -> String {
        assert!(
            position.len() <= POSITION_BYTES_MAX,
            "a position of {} bytes is too long",
            position.len()
        );
        let mut bytes = Vec::with_capacity(CHECKSUM_BYTES + position.len());
        bytes.extend_from_slice(&checksum(binding, position));
        bytes.extend_from_slice(position);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position in a token that was made for that binding.
    ///
    /// # Errors
    /// [`InvalidToken`] when the text is no token of that binding.
    pub fn decode(binding: &[&str], text: &str) -> Result<Vec<u8>, InvalidToken> {
        if text.len() > TOKEN_LENGTH_MAX {
            return Err(InvalidToken);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidToken)?;
        let (sum, position) = bytes.split_at_checked(CHECKSUM_BYTES).ok_or(InvalidToken)?;
        if sum == checksum(binding, position) {
            Ok(position.to_owned())
        } else {
            Err(InvalidToken)
        }
    }
}

/// A text that is no token of the listing that it was brought to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the page token does not belong to this listing")]
pub struct InvalidToken;

fn checksum(binding: &[&str], position: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = Sha256::new();
    // Lengths first, so that ["a", "bc"] and ["ab", "c"] differ.
    for part in [VERSION.as_bytes()]
        .into_iter()
        .chain(binding.iter().map(|part| part.as_bytes()))
        .chain([position])
    {
        sum.update(u64::try_from(part.len()).expect("a length fits 64 bits").to_be_bytes());
        sum.update(part);
    }
    let sum: [u8; 32] = sum.finalize().into();
    let (first, _) = sum.split_first_chunk().expect("SHA-256 has 32 bytes");
    *first
}

#[cfg(test)]
mod tests {
    use super::{InvalidToken, POSITION_BYTES_MAX, TOKEN_LENGTH_MAX, Token};

    const BINDING: &[&str] = &["ListWorkflows", "000000000000/us-east-1", ""];

    #[test]
    fn a_position_survives_the_client() {
        let longest = vec![0xff; POSITION_BYTES_MAX];
        for position in [b"".as_slice(), b"nightly", &longest] {
            let token = Token::encode(BINDING, position);
            assert!(token.len() <= TOKEN_LENGTH_MAX);
            assert!(
                token
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            );
            assert_eq!(Token::decode(BINDING, &token).as_deref(), Ok(position));
        }
    }

    #[test]
    fn a_token_of_another_listing_is_refused() {
        let token = Token::encode(BINDING, b"nightly");
        let others: [&[&str]; 5] = [
            &["ListTriggers", "000000000000/us-east-1", ""],
            &["ListWorkflows", "000000000000/eu-west-1", ""],
            &["ListWorkflows", "000000000000/us-east-1", "tag=x"],
            &["ListWorkflows", "000000000000/us-east-1"],
            &["ListWorkflows0", "00000000000/us-east-1", ""],
        ];
        for other in others {
            assert_eq!(Token::decode(other, &token), Err(InvalidToken), "{other:?}");
        }
    }

    #[test]
    fn a_token_that_was_cut_or_changed_is_refused() {
        let token = Token::encode(BINDING, b"nightly");
        for end in 0..token.len() {
            assert_eq!(Token::decode(BINDING, &token[..end]), Err(InvalidToken));
        }
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                Token::decode(BINDING, std::str::from_utf8(&changed).unwrap()),
                Err(InvalidToken)
            );
        }
        for text in ["", "=", "ü", "?page=2", "a".repeat(TOKEN_LENGTH_MAX + 1).as_str()] {
            assert_eq!(Token::decode(BINDING, text), Err(InvalidToken));
        }
    }
}
