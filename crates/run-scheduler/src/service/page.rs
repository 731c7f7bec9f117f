//! Pages of runs, newest first.

use treenail_rpc::{Fault, Reason};
use treenail_storage::page::Token;

use crate::store::Position;

/// Where a page starts, by its token.
pub(super) fn start(binding: &[&str], token: Option<&str>) -> Result<Option<Position>, Fault> {
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    let invalid = || Fault::new(Reason::InvalidInputException, "Pagination token is invalid");
    let bytes = Token::decode(binding, token).map_err(|_| invalid())?;
    let (millis, id) = bytes.split_first_chunk::<8>().ok_or_else(invalid)?;
    let id = std::str::from_utf8(id).map_err(|_| invalid())?;
    Ok(Some(Position {
        started_at_ms: i64::from_be_bytes(*millis),
        id: id.to_owned(),
    }))
}

/// The token of the page after a run.
pub(super) fn token(binding: &[&str], started_at_ms: i64, id: &str) -> String {
    let mut bytes = started_at_ms.to_be_bytes().to_vec();
    bytes.extend_from_slice(id.as_bytes());
    Token::encode(binding, &bytes)
}

/// How many rows a page has.
pub(super) fn size(asked: Option<i32>, most: usize) -> usize {
    asked
        .and_then(|asked| usize::try_from(asked).ok())
        .unwrap_or(most)
        .clamp(1, most)
}
