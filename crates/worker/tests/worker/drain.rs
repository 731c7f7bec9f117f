//! What a worker does once it is told to stop.

use std::time::Duration;

use treenail_proto::worker::v1::Result as Kind;

use crate::scheduler::{Bench, task};

async fn draining_bench(drain: Duration) -> Bench {
    Bench::start_with(|config| config.limits.drain_timeout = drain).await
}

fn gated(gate: &str) -> String {
    format!("import os, time\nwhile not os.path.exists({gate:?}): time.sleep(0.01)\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_worker_finishes_what_it_has_and_takes_no_more() {
    let mut bench = draining_bench(Duration::from_secs(60)).await;
    let script = bench.file("a.py", &gated(&bench.path("gate")));
    bench.assign(task("jr_1", &script)).await;
    bench.wait_for_start("jr_1").await;
    bench.ask_to_stop();
    bench.wait_for_draining().await;
    bench.assign(task("jr_2", &script)).await;
    bench
        .eventually("the task to be given back", || bench.heard_decline("jr_2"))
        .await;
    bench.file("gate", "");
    assert_eq!(bench.outcome("jr_1").await.result(), Kind::Succeeded);
    assert!(!bench.heard_start("jr_2"));
    bench.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_drained_for_long_enough_ends_its_tasks() {
    let mut bench = draining_bench(Duration::from_millis(300)).await;
    let script = bench.file("a.py", "import time; time.sleep(90)");
    bench.assign(task("jr_1", &script)).await;
    bench.wait_for_start("jr_1").await;
    bench.ask_to_stop();
    assert_eq!(bench.outcome("jr_1").await.result(), Kind::Cancelled);
    bench.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_worker_waits_until_its_outcomes_are_acknowledged_over_lost_streams() {
    let mut bench = draining_bench(Duration::from_secs(60)).await;
    bench.acknowledge_from(3);
    let script = bench.file("a.py", &gated(&bench.path("gate")));
    bench.assign(task("jr_1", &script)).await;
    bench.wait_for_start("jr_1").await;
    bench.ask_to_stop();
    bench.wait_for_draining().await;
    bench.lose_stream();
    let hello = bench.hello().await;
    assert!(hello.draining, "a new stream must not bring new tasks");
    assert_eq!(hello.held.len(), 1);
    bench.file("gate", "");
    for _ in 0..3 {
        assert_eq!(bench.outcome("jr_1").await.result(), Kind::Succeeded);
    }
    bench.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_worker_without_tasks_ends_at_once() {
    let mut bench = draining_bench(Duration::from_secs(3_600)).await;
    bench.ask_to_stop();
    bench.ended().await;
}
