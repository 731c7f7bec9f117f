//! The name of a call over its repetitions.

use prost::Message;
use sha2::{Digest as _, Sha256};
use treenail_rpc::Caller;

/// Names a call by its operation, the client's invocation id and the digest of the request; `None` when the client
/// sends no id.
pub(super) fn key(caller: &Caller, operation: &str, request: &impl Message) -> Option<String> {
    let invocation = caller.invocation.as_ref()?;
    let digest: [u8; 32] = Sha256::digest(request.encode_to_vec()).into();
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{operation} {invocation} {digest}"))
}
