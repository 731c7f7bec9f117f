//! What an attempt's objects are called, and how a worker's are found again.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use treenail_proto::worker::v1::Task;

/// The label with the worker that an attempt is of.
pub(super) const WORKER: &str = "treenail/worker";
/// The label with an attempt's name, also on its pod.
pub(super) const ATTEMPT: &str = "treenail/attempt";
/// The annotation with the job run that an attempt is of.
pub(super) const JOB_RUN: &str = "treenail/job-run";
/// The most characters of a label.
const LABEL_LENGTH_MAX: usize = 63;
/// How many bytes of a digest tell attempts apart.
const DIGEST_BYTES: usize = 16;

/// The name of an attempt's Job and Secret: the same for the same hand-out, another for every other.
pub(super) fn attempt(worker_id: &str, task_id: &str, token: u64) -> String {
    format!("attempt-{}-{token}", digest(&format!("{worker_id}/{task_id}")))
}

/// The label of a worker: its id, where that can be one.
pub(super) fn worker(worker_id: &str) -> String {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = worker_id.as_bytes();
    let is_label = bytes.len() <= LABEL_LENGTH_MAX
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().copied().all(is_inner);
    if is_label {
        worker_id.to_owned()
    } else {
        digest(worker_id)
    }
}

/// The labels of all of an attempt's objects.
pub(super) fn labels(worker_id: &str, task: &Task) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/name", "treenail".to_owned()),
        ("app.kubernetes.io/component", "job".to_owned()),
        ("app.kubernetes.io/part-of", "treenail".to_owned()),
        (WORKER, worker(worker_id)),
        (ATTEMPT, attempt(worker_id, &task.task_id, task.token)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn digest(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest[..DIGEST_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{attempt, worker};

    #[test]
    fn names_are_labels_and_tell_hand_outs_apart() {
        let name = attempt("w", &format!("jr_{}", "0".repeat(64)), u64::MAX);
        assert_eq!(name.len(), 8 + 32 + 1 + 20);
        assert_ne!(name, attempt("w", &format!("jr_{}", "0".repeat(64)), 1));
        assert_ne!(attempt("w", "jr_1", 1), attempt("v", "jr_1", 1));
    }

    #[test]
    fn a_workers_id_is_its_label_where_it_can_be() {
        assert_eq!(worker("treenail.worker-0"), "treenail.worker-0");
        for odd in ["", "-a", "a b", &"a".repeat(64)] {
            assert_eq!(worker(odd).len(), 32, "{odd}");
        }
    }
}
