//! What calls cost when a great many runs are stored.

use std::time::{Duration, Instant};

use crate::{
    http::{self, Connection},
    in_words, quantile,
    server::Server,
    tell,
    workflows::Workflows,
};

/// How many runs are stored at first.
const FEW: u64 = 1_000;
/// How many are stored in the end.
const MANY: u64 = 1_000_000;
/// How often each call is made.
const CALLS: usize = 500;

/// A page of runs, one run, and the start of another, at few and at many stored runs.
pub(crate) async fn pages() {
    let server = Server::start(0);
    let workflows = Workflows::of(&server);
    workflows.workflow("empty").await;
    let first = workflows.start("empty").await;
    let start = || http::request("AWSGlue.StartWorkflowRun", "{\"Name\":\"empty\"}");
    let calls = [
        (
            "a page of 25 runs",
            "GetWorkflowRuns",
            "{\"Name\":\"empty\",\"MaxResults\":25}".to_owned(),
        ),
        (
            "GetWorkflowRun",
            "GetWorkflowRun",
            format!("{{\"Name\":\"empty\",\"RunId\":\"{first}\"}}"),
        ),
        (
            "StartWorkflowRun",
            "StartWorkflowRun",
            "{\"Name\":\"empty\"}".to_owned(),
        ),
    ];
    http::repeat(&server.http(), FEW, start).await;
    let mut at_few = Vec::new();
    for (_, target, body) in &calls {
        at_few.push(slowest(&server, target, body).await);
    }
    http::repeat(&server.http(), MANY - FEW, start).await;
    for ((what, target, body), few) in calls.iter().zip(at_few) {
        let most = slowest(&server, target, body).await;
        tell(
            &format!("{what} at {MANY} stored runs, p99"),
            &in_words(most),
            Some((most.as_secs_f64() / few.as_secs_f64(), "x that at 1,000, goal 1.2")),
        );
    }
}

/// The time in which all but a hundredth of calls are answered.
async fn slowest(server: &Server, target: &str, body: &str) -> Duration {
    let mut connection = Connection::open(&server.http()).await;
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let request = http::request(&format!("AWSGlue.{target}"), body);
        let began = Instant::now();
        let (status, _) = connection.ask(&request).await;
        times.push(began.elapsed());
        assert_eq!(status, 200);
    }
    quantile(&mut times, 0.99)
}
