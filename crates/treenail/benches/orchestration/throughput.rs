//! How many calls a second, and how many runs.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

use crate::{
    baseline::Baseline,
    http::{self, CONNECTIONS, Connection},
    in_words, quantile,
    server::Server,
    tell,
    workflows::Workflows,
};

/// How many runs there are at once.
const RUNS: u64 = 1_000;
/// How many nodes the graph has that is read.
const NODES: usize = 1_000;
/// How often it is read.
const READS: usize = 50;

/// `StartWorkflowRun` and `PutWorkflowRunProperties`, as AWS's JSON.
pub(crate) async fn calls(baseline: &Baseline) {
    let server = Server::start(0);
    let workflows = Workflows::of(&server);
    workflows.workflow("empty").await;
    let mut runs = Vec::new();
    for _ in 0..CONNECTIONS {
        runs.push(workflows.start("empty").await);
    }
    let starts = http::rate(&server.http(), |_| {
        http::request("AWSGlue.StartWorkflowRun", "{\"Name\":\"empty\"}")
    })
    .await;
    let puts = http::rate(&server.http(), move |number| {
        let run = &runs[usize::try_from(number).unwrap()];
        let body = format!("{{\"Name\":\"empty\",\"RunId\":\"{run}\",\"RunProperties\":{{\"day\":\"2026-11-21\"}}}}");
        http::request("AWSGlue.PutWorkflowRunProperties", &body)
    })
    .await;
    for (what, rate) in [
        ("StartWorkflowRun, 64 connections", starts),
        ("PutWorkflowRunProperties, 64 connections", puts),
    ] {
        let ratio = rate / baseline.requests_per_second;
        tell(what, &format!("{rate:.0}/s"), Some((ratio, "x H, goal 0.2")));
    }
}

/// Runs of one noop job each, from the first call to the end of the last.
pub(crate) async fn runs() {
    let server = Server::start(1_000);
    let workflows = Workflows::of(&server);
    workflows.chain("one", 1).await;
    let warm = workflows.start("one").await;
    workflows.completed("one", &warm).await;
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..CONNECTIONS {
        let address = server.http();
        clients.spawn(async move {
            let mut connection = Connection::open(&address).await;
            let mut last = Vec::new();
            for _ in (number..RUNS).step_by(usize::try_from(CONNECTIONS).unwrap()) {
                let start = http::request("AWSGlue.StartWorkflowRun", "{\"Name\":\"one\"}");
                let (status, body) = connection.ask(&start).await;
                assert_eq!(status, 200);
                last = body;
            }
            last
        });
    }
    // Runs end as they began, so all have ended when the last ones of all clients have.
    let mut last = Vec::new();
    while let Some(answer) = clients.join_next().await {
        let answer: serde_json::Value = serde_json::from_slice(&answer.unwrap()).unwrap();
        last.push(answer["RunId"].as_str().unwrap().to_owned());
    }
    for run in &last {
        workflows.completed("one", run).await;
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = RUNS as f64 / began.elapsed().as_secs_f64();
    tell(
        "1,000 one-job runs by 64 clients",
        &format!("{rate:.0} runs/s"),
        Some((rate / 5_000.0, "x the goal of 5,000")),
    );
}

/// `GetWorkflowRun` with a large graph, against its bytes over a socket.
pub(crate) async fn reads() {
    let server = Server::start(1_000);
    let workflows = Workflows::of(&server);
    workflows.fan("large", NODES).await;
    let run = workflows.start("large").await;
    workflows.completed("large", &run).await;
    let body = format!("{{\"Name\":\"large\",\"RunId\":\"{run}\",\"IncludeGraph\":true}}");
    let request = http::request("AWSGlue.GetWorkflowRun", &body);
    let mut connection = Connection::open(&server.http()).await;
    let mut bytes = 0;
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..READS {
        let began = Instant::now();
        let (status, body) = connection.ask(&request).await;
        times.push(began.elapsed());
        assert_eq!(status, 200);
        bytes = body.len();
    }
    let half = quantile(&mut times, 0.5);
    let still = as_a_static_body(bytes).await;
    tell(
        &format!("GetWorkflowRun, {NODES} nodes, {} KiB", bytes / 1_024),
        &in_words(half),
        Some((
            half.as_secs_f64() / still.as_secs_f64(),
            "x the same bytes at rest, goal 2",
        )),
    );
}

/// How long as many bytes take that lie ready.
async fn as_a_static_body(bytes: usize) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move {
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n{}",
            "x".repeat(bytes)
        );
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4_096];
        while stream.read(&mut request).await.is_ok_and(|count| count > 0) {
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let mut connection = Connection::open(&address).await;
    let mut times = Vec::new();
    for _ in 0..READS {
        let began = Instant::now();
        connection.ask(&http::request("AWSGlue.Trivial", "{}")).await;
        times.push(began.elapsed());
    }
    server.abort();
    quantile(&mut times, 0.5)
}
