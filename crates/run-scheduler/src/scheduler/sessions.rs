//! The streams of workers.

use std::collections::BTreeMap;

use tokio::{
    sync::mpsc,
    time::{Duration, Instant},
};
use treenail_engine::task::WorkerId;
use treenail_proto::worker::v1::{WorkResponse, work_response::Message};

/// The open streams, one a worker.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: BTreeMap<WorkerId, Session>,
}

#[derive(Debug)]
struct Session {
    number: u64,
    responses: mpsc::Sender<Result<WorkResponse, tonic::Status>>,
    heard_at: Instant,
}

impl Sessions {
    /// Opens a worker's stream in place of an earlier one.
    pub(super) fn open(
        &mut self,
        worker: WorkerId,
        number: u64,
        responses: mpsc::Sender<Result<WorkResponse, tonic::Status>>,
    ) {
        self.open.insert(
            worker,
            Session {
                number,
                responses,
                heard_at: Instant::now(),
            },
        );
    }

    /// Whether a stream is the worker's current one; if so, the worker is alive.
    pub(super) fn hear(&mut self, worker: &WorkerId, number: u64) -> bool {
        let Some(session) = self.open.get_mut(worker).filter(|session| session.number == number) else {
            return false;
        };
        session.heard_at = Instant::now();
        true
    }

    /// Tells a worker something; says whether it can be told.
    pub(super) fn send(&self, worker: &WorkerId, message: Message) -> bool {
        let response = WorkResponse { message: Some(message) };
        self.open
            .get(worker)
            .is_some_and(|session| session.responses.try_send(Ok(response)).is_ok())
    }

    /// Closes a stream, if it is the worker's current one; says whether it was.
    pub(super) fn close_one(&mut self, worker: &WorkerId, number: u64) -> bool {
        let is_current = self.open.get(worker).is_some_and(|session| session.number == number);
        if is_current {
            self.open.remove(worker);
        }
        is_current
    }

    /// Closes a worker's stream.
    pub(super) fn drop_worker(&mut self, worker: &WorkerId) {
        self.open.remove(worker);
    }

    /// When the first worker that stays silent has been silent for too long.
    pub(super) fn next_silence(&self, lease: Duration) -> Option<Instant> {
        self.open.values().map(|session| session.heard_at + lease).min()
    }

    /// The workers that have been silent for too long.
    pub(super) fn silent(&self, lease: Duration) -> Vec<WorkerId> {
        let now = Instant::now();
        self.open
            .iter()
            .filter(|(_, session)| session.heard_at + lease <= now)
            .map(|(worker, _)| worker.clone())
            .collect()
    }

    /// Closes all streams.
    pub(super) fn close(&mut self) {
        self.open.clear();
    }
}
