//! How long it takes from one job to the next.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use treenail_proto::worker::v1::{
    Hello, Outcome, Result as Ended, TaskFinished, WorkRequest, work_request::Message as Said,
    work_response::Message as Told, worker_service_client::WorkerServiceClient,
};

use crate::{baseline::Baseline, in_words, quantile, server::Server, tell, workflows::Workflows};

const CHAIN: usize = 200;
const RUNS: usize = 20;

/// From the end of a job on a worker to the start of the next: this benchmark is the worker.
pub(crate) async fn transitions(baseline: &Baseline) {
    let server = Server::start(0);
    let workflows = Workflows::of(&server);
    workflows.chain("chain", CHAIN).await;
    let (say, said) = mpsc::channel(1_024);
    let hello = Hello {
        worker_id: "bench".to_owned(),
        slots: 100,
        held: Vec::new(),
    };
    say.send(WorkRequest {
        message: Some(Said::Hello(hello)),
    })
    .await
    .unwrap();
    let mut worker = WorkerServiceClient::new(treenail_rpc::connect(server.scheduler()));
    let mut told = worker.work(ReceiverStream::new(said)).await.unwrap().into_inner();
    let mut times = Vec::new();
    for _ in 0..RUNS / 4 {
        workflows.start("chain").await;
        let mut ended_at: Option<Instant> = None;
        for _ in 0..CHAIN {
            let task = loop {
                match told.message().await.unwrap().unwrap().message {
                    Some(Told::Assign(assign)) => break assign.task.unwrap(),
                    Some(Told::Welcome(_) | Told::Cancel(_) | Told::Ack(_)) | None => {}
                }
            };
            times.extend(ended_at.map(|ended| ended.elapsed()));
            let finished = TaskFinished {
                task_id: task.task_id,
                token: task.token,
                outcome: Some(Outcome {
                    result: Ended::Succeeded.into(),
                    ..Outcome::default()
                }),
            };
            ended_at = Some(Instant::now());
            say.send(WorkRequest {
                message: Some(Said::Finished(finished)),
            })
            .await
            .unwrap();
        }
    }
    let (half, most) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
    let goal = baseline.sync + baseline.call;
    tell(
        "node transition, p50",
        &in_words(half),
        Some((half.as_secs_f64() / goal.as_secs_f64(), "x (F + G), goal 2")),
    );
    tell(
        "node transition, p99",
        &in_words(most),
        Some((most.as_secs_f64() / half.as_secs_f64(), "x p50, goal 4")),
    );
}

/// Whole runs of noop jobs on a worker in another process, by their own dates.
pub(crate) async fn graphs() {
    let server = Server::start(1_000);
    let workflows = Workflows::of(&server);
    workflows.chain("ten", 10).await;
    workflows.chain("forty", 40).await;
    workflows.fan("fan", 40, true).await;
    workflows.fan("wide", 10_000, false).await;
    for (name, what, goal_ms) in [
        ("ten", "chain of 10", 8.0),
        ("forty", "chain of 40", 30.0),
        ("fan", "1 → 40 → 1", 10.0),
    ] {
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let run = workflows.start(name).await;
            times.push(workflows.completed(name, &run).await);
        }
        let half = quantile(&mut times, 0.5);
        let ratio = half.as_secs_f64() * 1_000.0 / goal_ms;
        tell(
            what,
            &in_words(half),
            Some((ratio, &format!("x the goal of {goal_ms} ms"))),
        );
    }
    let run = workflows.start("wide").await;
    let took: Duration = workflows.completed("wide", &run).await;
    tell(
        "1 → 10,000",
        &in_words(took),
        Some((took.as_secs_f64() / 1.5, "x the goal of 1.5 s")),
    );
}
