//! What many workers cost that have nothing to do.

use std::time::Duration;

use tokio::{sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use treenail_proto::worker::v1::{
    Heartbeat, Hello, WorkRequest, work_request::Message as Said, work_response::Message as Told,
    worker_service_client::WorkerServiceClient,
};

use crate::{
    life::{cpu_ticks, resident_kib},
    server::Server,
    tell,
};

const WORKERS: usize = 10_000;
/// How many of them connect at once.
const CONNECTING: usize = 64;
/// Several rounds of heartbeats.
const WATCHED: Duration = Duration::from_secs(30);

/// 10,000 workers, each with a connection of its own, that send heartbeats as often as they are told to.
pub(crate) async fn workers() {
    treenail_rpc::limits::raise_open_files();
    let server = Server::start(0);
    let before = resident_kib(server.process.id());
    let mut connecting = JoinSet::new();
    let mut idle = JoinSet::new();
    for number in 0..WORKERS {
        let channel = treenail_rpc::connect(server.scheduler());
        connecting.spawn(connect(number, WorkerServiceClient::new(channel)));
        if connecting.len() == CONNECTING {
            idle.spawn(connecting.join_next().await.unwrap().unwrap());
        }
    }
    while let Some(worker) = connecting.join_next().await {
        idle.spawn(worker.unwrap());
    }
    let began = cpu_ticks(server.process.id());
    tokio::time::sleep(WATCHED).await;
    let ticks = cpu_ticks(server.process.id()) - began;
    // A worker whose stream ended would cost nothing.
    assert!(idle.try_join_next().is_none(), "a worker was lost");
    // A hundred ticks a second.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = ticks as f64 / WATCHED.as_secs_f64();
    tell(
        "10,000 idle workers, share of a core",
        &format!("{share:.1} %"),
        Some((share / 100.0, "of a core, goal 1")),
    );
    let resident = (resident_kib(server.process.id()) - before) / 10_000;
    tell("10,000 idle workers, memory of each", &format!("{resident} KiB"), None);
}

/// Opens a worker's stream; what is given back keeps it until it ends.
async fn connect(
    number: usize,
    mut client: WorkerServiceClient<treenail_rpc::Channel>,
) -> impl Future<Output = ()> + use<> {
    let (say, said) = mpsc::channel(4);
    let hello = Hello {
        worker_id: format!("idle-{number}"),
        slots: 1,
        held: Vec::new(),
        draining: false,
    };
    say.send(request(Said::Hello(hello))).await.unwrap();
    let mut told = client.work(ReceiverStream::new(said)).await.unwrap().into_inner();
    let Some(Told::Welcome(welcome)) = told.message().await.unwrap().and_then(|told| told.message) else {
        unreachable!("the first word of a run-scheduler is welcome");
    };
    let mut beats = tokio::time::interval(Duration::from_millis(welcome.heartbeat_ms.into()));
    async move {
        loop {
            tokio::select! {
                _ = beats.tick() => say.send(request(Said::Heartbeat(Heartbeat {}))).await.unwrap(),
                ended = told.message() => if !matches!(ended, Ok(Some(_))) { return },
            }
        }
    }
}

fn request(message: Said) -> WorkRequest {
    WorkRequest { message: Some(message) }
}
