//! The stream to the run-scheduler: opened, lost, and opened again after a pause.

use std::{fmt, pin::Pin, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Sleep, sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use treenail_proto::worker::v1::{
    Hello, Welcome, WorkRequest, WorkResponse, work_request, work_response, worker_service_client::WorkerServiceClient,
};
use treenail_rpc::{Channel, limits::GRPC_MESSAGE_BYTES_MAX};

use super::backoff::Backoff;

/// Messages on their way out; a run-scheduler that lets more pile up is as good as gone.
const OUTBOUND_MAX: usize = 1_024;
/// How long a run-scheduler may take to answer a `Hello`.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// What happened to the stream.
#[derive(Debug)]
pub(super) enum Event {
    /// The pause is over: [`Link::open`] is due.
    ReadyToOpen,
    /// The run-scheduler welcomed the worker.
    Opened(Welcome),
    /// The run-scheduler said something.
    Received(Box<work_response::Message>),
    /// The stream is gone; another is opened after a pause.
    Lost(Status),
}

/// The stream and what becomes of it.
pub(super) struct Link {
    client: WorkerServiceClient<Channel>,
    backoff: Backoff,
    state: State,
    has_failed: bool,
}

enum State {
    Pausing(Pin<Box<Sleep>>),
    /// The owner was asked to open it.
    Ready,
    Opening(Opening),
    Open(Box<Stream>),
}

type Opening = Pin<Box<dyn Future<Output = Result<(Welcome, Stream), Status>> + Send>>;

struct Stream {
    outbound: mpsc::Sender<WorkRequest>,
    inbound: Streaming<WorkResponse>,
}

impl Link {
    /// A link that opens at once.
    pub(super) fn new(scheduler: Channel, backoff: Backoff) -> Link {
        Link {
            client: WorkerServiceClient::new(scheduler)
                .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
                .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX),
            backoff,
            state: State::Pausing(Box::pin(sleep(Duration::ZERO))),
            has_failed: false,
        }
    }

    /// What happens next; can be dropped and called again without missing anything.
    pub(super) async fn next(&mut self) -> Event {
        match &mut self.state {
            State::Pausing(pause) => {
                pause.await;
                self.state = State::Ready;
                Event::ReadyToOpen
            }
            State::Ready => Event::ReadyToOpen,
            State::Opening(opening) => match opening.await {
                Ok((welcome, stream)) => {
                    self.backoff.reset();
                    self.has_failed = false;
                    self.state = State::Open(Box::new(stream));
                    Event::Opened(welcome)
                }
                Err(status) => self.lose(status),
            },
            State::Open(stream) => match receive(&mut stream.inbound).await {
                Ok(message) => Event::Received(Box::new(message)),
                Err(status) => self.lose(status),
            },
        }
    }

    /// Opens a stream in which the worker says hello.
    pub(super) fn open(&mut self, hello: Hello) {
        self.state = State::Opening(Box::pin(open(self.client.clone(), hello)));
    }

    /// Says something when the stream is open; answers whether it is on its way.
    ///
    /// Whatever must be heard is said again when the stream has been opened anew.
    pub(super) fn say(&mut self, message: work_request::Message) -> bool {
        let State::Open(stream) = &self.state else {
            return false;
        };
        let request = WorkRequest { message: Some(message) };
        let is_said = stream.outbound.try_send(request).is_ok();
        if !is_said {
            self.lose(Status::unavailable("the run-scheduler does not read"));
        }
        is_said
    }

    /// Gives up the stream, if there is one: another is opened after a pause.
    pub(super) fn give_up(&mut self) {
        if !matches!(self.state, State::Pausing(_)) {
            self.lose(Status::cancelled("the worker gave up the stream"));
        }
    }

    /// Whether the run-scheduler hears what is said.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether the last stream was lost, or could not be opened.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    fn lose(&mut self, status: Status) -> Event {
        self.has_failed = true;
        self.state = State::Pausing(Box::pin(sleep(self.backoff.pause())));
        Event::Lost(status)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}

async fn open(mut client: WorkerServiceClient<Channel>, hello: Hello) -> Result<(Welcome, Stream), Status> {
    let (outbound, requests) = mpsc::channel(OUTBOUND_MAX);
    let hello = WorkRequest {
        message: Some(work_request::Message::Hello(hello)),
    };
    outbound
        .try_send(hello)
        .map_err(|_| Status::internal("a new queue is full"))?;
    let opening = async {
        let mut inbound = client.work(ReceiverStream::new(requests)).await?.into_inner();
        match receive(&mut inbound).await? {
            work_response::Message::Welcome(welcome) => Ok((welcome, inbound)),
            work_response::Message::Assign(_) | work_response::Message::Cancel(_) | work_response::Message::Ack(_) => {
                Err(Status::internal("the run-scheduler did not welcome the worker"))
            }
        }
    };
    match timeout(WELCOME_TIMEOUT, opening).await {
        Ok(opened) => opened.map(|(welcome, inbound)| (welcome, Stream { outbound, inbound })),
        Err(_elapsed) => Err(Status::deadline_exceeded("the run-scheduler does not answer")),
    }
}

async fn receive(inbound: &mut Streaming<WorkResponse>) -> Result<work_response::Message, Status> {
    loop {
        let response = inbound.message().await?;
        match response
            .ok_or_else(|| Status::unavailable("the run-scheduler ended the stream"))?
            .message
        {
            Some(message) => return Ok(message),
            // A message of a newer run-scheduler.
            None => tracing::debug!("the run-scheduler said something unknown"),
        }
    }
}
