//! A crash in the middle of each write of a workload, before it is durable and after: whatever step of a commit or of what
//! follows it a process dies in, every promise holds.

use treenail_testkit::{cluster::CrashPoint, simulation};

/// How many workloads are tried.
const SEEDS: u64 = 4;
/// More writes than a workload has.
const WRITES_MAX: u64 = 2_000;

#[test]
fn a_crash_at_any_step_of_any_write_breaks_no_promise() {
    let mut points = 0;
    for seed in 0..SEEDS {
        for is_durable in [false, true] {
            for after_writes in 0..WRITES_MAX {
                let point = CrashPoint {
                    after_writes,
                    is_durable,
                };
                let Some(report) = simulation::run_to_crash_point(seed, point) else {
                    break;
                };
                if let Err(violation) = &report.judgement {
                    panic!("seed {seed}, {point:?}: {violation}");
                }
                points += 1;
            }
        }
    }
    println!("{points} crash points");
    assert!(points >= 100, "{points} points are too few to prove anything");
}
