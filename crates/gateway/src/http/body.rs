//! The body of a request, as far as it is allowed to go.

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use treenail_rpc::{Fault, Reason};

use super::single;
use crate::limits::{BODY_BYTES_MAX, BODY_READ};

/// Reads a body, which must be neither compressed, nor too large, nor too slow.
pub(super) async fn read(headers: &HeaderMap, body: Incoming) -> Result<Bytes, Fault> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Fault::new(
            Reason::InvalidInputException,
            "Content-Encoding is not supported",
        ));
    }
    let length = single(headers, "content-length")?.and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let read = Limited::new(body, BODY_BYTES_MAX).collect();
    let late = || {
        Fault::new(
            Reason::OperationTimeoutException,
            "The request's body did not arrive in time",
        )
    };
    let read = tokio::time::timeout(BODY_READ, read).await.map_err(|_| late())?;
    read.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            too_large()
        } else {
            Fault::new(Reason::SerializationException, "The request's body ended early")
        }
    })
}

fn too_large() -> Fault {
    Fault::new(
        Reason::RequestEntityTooLargeException,
        format!("The request is larger than {BODY_BYTES_MAX} bytes"),
    )
}
