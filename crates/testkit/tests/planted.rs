//! The simulation finds the bugs that are planted: it has teeth.
//!
//! ```text
//! cargo test -p treenail-testkit --features planted-bugs --test planted
//! ```

use treenail_planted::{Bug, plant};
use treenail_testkit::simulation;

/// Within how many seeds a bug must be found.
const SEEDS_MAX: u64 = 200;

#[test]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    for &bug in Bug::ALL {
        plant(Some(bug));
        let found = (0..SEEDS_MAX).find_map(|seed| Some((seed, simulation::run(seed).judgement.err()?)));
        plant(None);
        match found {
            Some((seed, violation)) => println!("{bug:?}: seed {seed}: {violation}"),
            None => missed.push(bug),
        }
    }
    assert!(missed.is_empty(), "{missed:?} were not found within {SEEDS_MAX} seeds");
}
