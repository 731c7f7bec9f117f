//! Calls that are repeated get the answer that the first one got: the retries of one SDK call start nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};
use treenail_engine::{Timestamp, glue::Reply};
use treenail_rpc::Scope;

use crate::store::InvocationRow;

/// How long a repetition gets the first call's answer, in milliseconds.
const REMEMBERED_MS: i64 = 15 * 60_000;
/// How many calls are remembered at the most; beyond, the oldest are forgotten early.
const REMEMBERED_MAX: usize = 200_000;

/// Half of the SHA-256 of a call's scope and key: there may be a call for each of very many runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fingerprint([u8; 16]);

impl Fingerprint {
    fn of(scope: &Scope, key: &str) -> Self {
        // No account or region has a line break.
        let digest = Sha256::new()
            .chain_update(scope.account.as_bytes())
            .chain_update("\n")
            .chain_update(scope.region.as_bytes())
            .chain_update("\n")
            .chain_update(key.as_bytes())
            .finalize();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Self(half)
    }
}

/// The calls that are remembered.
#[derive(Debug, Default)]
pub(super) struct Invocations {
    answers: BTreeMap<Fingerprint, (Timestamp, Reply)>,
    by_expiry: BTreeSet<(Timestamp, Fingerprint)>,
}

impl Invocations {
    /// The answer that a call got before.
    pub(super) fn find(&self, scope: &Scope, key: &str, now: Timestamp) -> Option<Reply> {
        let (expires_at, answer) = self.answers.get(&Fingerprint::of(scope, key))?;
        (*expires_at > now).then(|| answer.clone())
    }

    /// Remembers the answer to a call; says what to store.
    pub(super) fn remember(&mut self, scope: &Scope, key: String, answer: &Reply, now: Timestamp) -> InvocationRow {
        let expires_at = now.plus_millis(REMEMBERED_MS);
        self.keep(Fingerprint::of(scope, &key), expires_at, answer.clone());
        self.forget(now);
        InvocationRow {
            scope: scope.clone(),
            key,
            expires_at_ms: expires_at.as_millis(),
            answer: to_text(answer),
        }
    }

    /// Takes in what was stored.
    pub(super) fn restore(&mut self, row: &InvocationRow) {
        if let Some(answer) = from_text(&row.answer) {
            let expires_at = Timestamp::from_millis(row.expires_at_ms);
            self.keep(Fingerprint::of(&row.scope, &row.key), expires_at, answer);
        }
    }

    fn keep(&mut self, call: Fingerprint, expires_at: Timestamp, answer: Reply) {
        if let Some((before, _)) = self.answers.insert(call, (expires_at, answer)) {
            self.by_expiry.remove(&(before, call));
        }
        self.by_expiry.insert((expires_at, call));
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((expires_at, _)) = self.by_expiry.first()
            && (*expires_at <= now || self.answers.len() > REMEMBERED_MAX)
            && let Some((_, call)) = self.by_expiry.pop_first()
        {
            self.answers.remove(&call);
        }
    }
}

fn to_text(answer: &Reply) -> String {
    match answer {
        Reply::Done => String::new(),
        Reply::WorkflowRun(run) => run.to_string(),
        Reply::Resumed(run, nodes) => format!("{run}\n{}", nodes.join("\n")),
        Reply::JobRun(job_run) => job_run.to_string(),
    }
}

fn from_text(text: &str) -> Option<Reply> {
    match text.split_once('\n') {
        Some((run, nodes)) => Some(Reply::Resumed(
            run.parse().ok()?,
            nodes.lines().map(str::to_owned).collect(),
        )),
        None if text.is_empty() => Some(Reply::Done),
        None if text.starts_with("wr_") => Some(Reply::WorkflowRun(text.parse().ok()?)),
        None => Some(Reply::JobRun(text.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use treenail_engine::ids::Ids;

    use super::*;

    #[test]
    fn a_repetition_gets_the_first_answer_until_it_expires_and_also_after_a_restart() {
        let (scope, now) = (Scope::default(), Timestamp::from_millis(1_000));
        let mut ids = Ids::new([1; 32]);
        let answers = [
            Reply::Done,
            Reply::WorkflowRun(ids.workflow_run(now)),
            Reply::Resumed(ids.workflow_run(now), vec!["a".into(), "b".into()]),
            Reply::JobRun(ids.job_run(now)),
        ];
        for answer in answers {
            let mut invocations = Invocations::default();
            let row = invocations.remember(&scope, "key".into(), &answer, now);
            assert_eq!(invocations.find(&scope, "key", now), Some(answer.clone()));
            assert_eq!(invocations.find(&scope, "other", now), None);
            assert_eq!(invocations.find(&scope, "key", now.plus_millis(REMEMBERED_MS)), None);
            let mut restored = Invocations::default();
            restored.restore(&row);
            assert_eq!(restored.find(&scope, "key", now), Some(answer));
        }
    }
}
