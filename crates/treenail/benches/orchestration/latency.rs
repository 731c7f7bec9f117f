//! How long it takes from one job to the next.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use treenail_proto::worker::v1::{
    Hello, Outcome, Result as Ended, Task, TaskFinished, WorkRequest, work_request::Message as Said,
    work_response::Message as Told, worker_service_client::WorkerServiceClient,
};

use crate::{
    baseline::Baseline, http, in_words, life::resident_kib, quantile, server::Server, tell, workflows::Workflows,
};

const CHAIN: usize = 200;
const RUNS: usize = 20;
const WIDE_RUNS: usize = 5;
/// How many runs are active and wait.
const ACTIVE: u64 = 100_000;

/// From the end of a job on a worker to the start of the next: this benchmark is the worker.
pub(crate) async fn transitions(baseline: &Baseline) {
    let server = Server::start(0);
    let workflows = Workflows::of(&server);
    workflows.chain("chain", CHAIN).await;
    let mut times = measure(&server, &workflows).await;
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

/// The same beside many runs that are active and wait, what each of them takes, and how fast a server with them comes back.
pub(crate) async fn active() {
    let server = Server::start(0);
    let workflows = Workflows::of(&server);
    workflows.chain("chain", CHAIN).await;
    workflows.workflow("waits").await;
    workflows.queuing_noop("queued").await;
    workflows.trigger("waits", "start", None, &["queued".to_owned()]).await;
    let mut few = measure(&server, &workflows).await;
    let before = resident_kib(server.process.id());
    http::repeat(&server.http(), ACTIVE, || {
        http::request("AWSGlue.StartWorkflowRun", "{\"Name\":\"waits\"}")
    })
    .await;
    let each = (resident_kib(server.process.id()) - before) * 1_024 / ACTIVE;
    let mut many = measure(&server, &workflows).await;
    let (few, many) = (quantile(&mut few, 0.5), quantile(&mut many, 0.5));
    tell(
        &format!("node transition, p50, beside {ACTIVE} active runs"),
        &in_words(many),
        Some((many.as_secs_f64() / few.as_secs_f64(), "x that without, goal 1.3")),
    );
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    let ratio = each as f64 / 1_024.0;
    tell(
        "memory of an active run",
        &format!("{each} bytes"),
        Some((ratio, "x the goal of 1 KiB")),
    );
    let began = Instant::now();
    let server = server.kill_and_start_again();
    Workflows::of(&server).start("waits").await;
    let took = began.elapsed();
    tell(
        &format!("kill -9 with {ACTIVE} active runs → first call"),
        &in_words(took),
        Some((took.as_secs_f64(), "x the goal of 1 s")),
    );
}

/// Runs a chain several times, as its worker; gives the times from one job to the next.
async fn measure(server: &Server, workflows: &Workflows) -> Vec<Duration> {
    let (say, said) = mpsc::channel(1_024);
    let hello = Hello {
        worker_id: "bench".to_owned(),
        slots: 100,
        held: Vec::new(),
        draining: false,
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
                if let Some(Told::Assign(assign)) = told.message().await.unwrap().unwrap().message
                    && let Some(task) = assign.task.filter(is_of_chain)
                {
                    break task;
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
    times
}

/// Whether a task is one of the chain's; what else comes is held and never ended.
fn is_of_chain(task: &Task) -> bool {
    task.job.as_ref().is_some_and(|job| job.job_name.starts_with("chain"))
}

/// Whole runs of noop jobs on a worker in another process, by their own dates.
pub(crate) async fn graphs() {
    let server = Server::start(1_000);
    let workflows = Workflows::of(&server);
    workflows.chain("ten", 10).await;
    workflows.chain("forty", 40).await;
    workflows.fan("fan", 40).await;
    let narrow = workflows.fan("narrow", 100).await;
    let wide = workflows.fan("wide", 10_000).await;
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
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let run = workflows.start("narrow").await;
        times.push(workflows.completed("narrow", &run).await);
    }
    let each_of_few = each(quantile(&mut times, 0.5), narrow);
    let mut times = Vec::new();
    for _ in 0..WIDE_RUNS {
        let run = workflows.start("wide").await;
        times.push(workflows.completed("wide", &run).await);
    }
    let took = quantile(&mut times, 0.5);
    tell(
        "1 → 10,000 → 1",
        &in_words(took),
        Some((took.as_secs_f64() / 1.5, "x the goal of 1.5 s")),
    );
    let each_of_many = each(took, wide);
    tell(
        "a node of 10,000",
        &in_words(each_of_many),
        Some((
            each_of_many.as_secs_f64() / each_of_few.as_secs_f64(),
            "x a node of 100, goal 1.2",
        )),
    );
}

/// The time for each of so many nodes.
fn each(whole: Duration, nodes: usize) -> Duration {
    whole / u32::try_from(nodes).unwrap_or(u32::MAX)
}
