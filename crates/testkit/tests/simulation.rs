//! The deterministic simulation, over many seeds.
//!
//! ```text
//! cargo test -p treenail-testkit --test simulation                              what every run of the tests does
//! TREENAIL_SEED=17 cargo test -p treenail-testkit --test simulation -- --nocapture   one seed, with all that happened
//! TREENAIL_SEEDS=100000 cargo test -p treenail-testkit --test simulation        a longer run
//! ```

use std::{env, time::Duration};

use treenail_testkit::simulation::{self, Report};

/// How many seeds every run of the tests simulates.
const SEEDS: u64 = 300;
/// How many faults these have at the least.
const FAULTS_MIN: u64 = 10_000;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().and_then(|value| value.parse().ok())
}

#[test]
fn every_promise_holds_whatever_goes_wrong() {
    if let Some(seed) = number("TREENAIL_SEED") {
        let telemetry = treenail_rpc::telemetry::init(treenail_rpc::telemetry::LogFormat::Human, "debug", None);
        drop(telemetry.unwrap());
        let report = simulation::run(seed);
        println!("{}", report.trace);
        report.judgement.unwrap();
        return;
    }
    let seeds = number("TREENAIL_SEEDS").unwrap_or(SEEDS);
    let first = number("TREENAIL_FIRST_SEED").unwrap_or_default();
    let (mut faults, mut simulated, mut operations, mut runs) = (0, Duration::ZERO, 0, 0);
    for seed in first..first + seeds {
        let report = simulation::run(seed);
        if let Err(violation) = &report.judgement {
            panic!("seed {seed}: {violation}\nTREENAIL_SEED={seed} shows all that happened");
        }
        faults += report.faults;
        simulated += report.simulated;
        operations += report.operations;
        runs += report.runs;
    }
    println!(
        "{seeds} seeds, {faults} faults, {operations} calls, {runs} workflow runs, {} simulated hours",
        simulated.as_secs() / 3_600
    );
    assert!(
        seeds < SEEDS || faults >= FAULTS_MIN,
        "{faults} faults are too few to prove anything"
    );
}

#[test]
fn a_seed_gives_one_history() {
    for seed in 0..5 {
        let (one, other): (Report, Report) = (simulation::run(seed), simulation::run(seed));
        assert!(one.trace == other.trace, "seed {seed} gave two histories");
    }
}
