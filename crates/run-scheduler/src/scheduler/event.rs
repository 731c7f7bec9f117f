//! Everything that can happen to the scheduler, and how it is told.

use tokio::sync::{mpsc, oneshot};
use treenail_engine::{
    Timestamp,
    glue::{Input, Rejected, Reply},
    ids::JobRunId,
    task::WorkerId,
};
use treenail_proto::worker::v1 as worker;
use treenail_rpc::{Scope, telemetry::TraceContext};

use super::traces;
use crate::{codec::plan::Published, error::Error, store::PlanRow};

/// How many events wait at the most; whoever brings another one waits as well.
const EVENTS_MAX: usize = 4_096;

/// The answer to a call.
pub(crate) type Answer = Result<Reply, Rejected>;

/// The receiving end: the loop's.
pub(crate) type Intake = mpsc::Receiver<Event>;

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// A client calls.
    Call {
        scope: Scope,
        input: Box<Input>,
        /// Names the call over its repetitions.
        key: Option<String>,
        /// The trace that what it starts belongs to.
        trace: Option<TraceContext>,
        reply: oneshot::Sender<Answer>,
    },
    /// The control-plane publishes.
    Publish {
        scope: Scope,
        plan: Published,
        row: Box<PlanRow>,
        reply: oneshot::Sender<Answer>,
    },
    /// A worker opens a stream.
    Connect(Connect),
    /// A worker's stream ended.
    Disconnect { worker: WorkerId, session: u64 },
    /// A worker says something.
    Said {
        worker: WorkerId,
        session: u64,
        message: worker::work_request::Message,
    },
    /// Someone asks whether a token is a job run's current one.
    Owns {
        job_run: JobRunId,
        token: u64,
        reply: oneshot::Sender<bool>,
    },
    /// The manual clock is moved. The answer completes once all that started on the way has its properties.
    SetClock {
        to: Timestamp,
        reply: oneshot::Sender<oneshot::Receiver<()>>,
    },
}

/// A worker opens a stream.
#[derive(Debug)]
pub(crate) struct Connect {
    pub(crate) worker: WorkerId,
    /// Tells the stream from earlier ones of the worker.
    pub(crate) session: u64,
    pub(crate) slots: u32,
    pub(crate) held: Vec<worker::HeldTask>,
    pub(crate) responses: mpsc::Sender<Result<worker::WorkResponse, tonic::Status>>,
}

/// The sending end: everybody else's.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    events: mpsc::Sender<Event>,
}

impl Handle {
    pub(crate) fn new() -> (Self, Intake) {
        let (events, intake) = mpsc::channel(EVENTS_MAX);
        (Self { events }, intake)
    }

    /// Brings a call and waits for its answer, which comes once it is durable.
    pub(crate) async fn call(&self, scope: Scope, input: Input, key: Option<String>) -> Result<Reply, Error> {
        let (reply, answer) = oneshot::channel();
        let trace = if traces::starts_something(&input) {
            TraceContext::current()
        } else {
            None
        };
        self.send(Event::Call {
            scope,
            input: Box::new(input),
            key,
            trace,
            reply,
        })
        .await?;
        Ok(answer.await.map_err(|_| Error::Stopping)??)
    }

    /// Brings an event.
    pub(crate) async fn send(&self, event: Event) -> Result<(), Error> {
        self.events.send(event).await.map_err(|_| Error::Stopping)
    }
}
