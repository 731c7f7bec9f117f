//! How fast Treenail orchestrates, beside what the machine can do at all, measured in the same run.
//!
//! ```text
//! cargo bench -p treenail                  everything
//! cargo bench -p treenail -- transitions   what has that in its name
//! ```
//!
//! F is the median of an append of 300 bytes that is synced, G that of a unary gRPC call, H how many requests a second a
//! trivial server of JSON over HTTP answers at 64 connections. Every figure is of a server and a worker in processes of
//! their own, with everything durable before it is acknowledged.

#![expect(clippy::print_stdout, reason = "the figures are what a benchmark has to say")]
#![expect(clippy::disallowed_methods, reason = "what is measured is real time")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

#[path = "orchestration/access.rs"]
mod access;
#[path = "orchestration/baseline.rs"]
mod baseline;
#[path = "orchestration/http.rs"]
mod http;
#[path = "orchestration/latency.rs"]
mod latency;
#[path = "orchestration/life.rs"]
mod life;
#[path = "orchestration/pages.rs"]
mod pages;
#[path = "orchestration/server.rs"]
mod server;
#[path = "orchestration/split.rs"]
mod split;
#[path = "orchestration/telemetry.rs"]
mod telemetry;
#[path = "orchestration/throughput.rs"]
mod throughput;
#[path = "orchestration/workers.rs"]
mod workers;
#[path = "orchestration/workflows.rs"]
mod workflows;

use std::{env, time::Duration};

use baseline::Baseline;

fn main() {
    if let Some(address) = baseline::trivial_server_address() {
        return baseline::serve_trivially(&address);
    }
    let wanted: Vec<String> = env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(Box::pin(async {
        let baseline = Baseline::measure().await;
        println!(
            "F {} · G {} · H {:.0}/s",
            in_words(baseline.sync),
            in_words(baseline.call),
            baseline.requests_per_second
        );
        if is_wanted("transitions") {
            latency::transitions(&baseline).await;
        }
        if is_wanted("active") {
            latency::active().await;
        }
        if is_wanted("graphs") {
            latency::graphs().await;
        }
        if is_wanted("calls") {
            throughput::calls(&baseline).await;
        }
        if is_wanted("signed") {
            access::signed().await;
        }
        if is_wanted("split") {
            split::split().await;
        }
        if is_wanted("workers") {
            workers::workers().await;
        }
        if is_wanted("traced") {
            telemetry::traced().await;
        }
        if is_wanted("runs") {
            throughput::runs().await;
        }
        if is_wanted("reads") {
            throughput::reads().await;
        }
        if is_wanted("pages") {
            pages::pages().await;
        }
        if is_wanted("life") {
            life::starts_and_rests().await;
        }
        if is_wanted("processes") {
            life::processes().await;
        }
    }));
}

/// A figure, with what it is to reach.
fn tell(what: &str, figure: &str, ratio: Option<(f64, &str)>) {
    let ratio = ratio.map_or_else(String::new, |(ratio, goal)| format!("{ratio:8.2} {goal}"));
    println!("{what:<58} {figure:>14} {ratio}");
}

fn in_words(duration: Duration) -> String {
    let micros = duration.as_micros();
    if micros < 10_000 {
        format!("{micros} µs")
    } else {
        format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
    }
}

/// The value below which such a part of all lie.
fn quantile(durations: &mut [Duration], part: f64) -> Duration {
    durations.sort_unstable();
    let last = durations.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a short list"
    )]
    let place = (last as f64 * part) as usize;
    durations.get(place).copied().unwrap_or_default()
}
