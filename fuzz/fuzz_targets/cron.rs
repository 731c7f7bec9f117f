//! Any text as a cron expression: parsed or refused without a panic, and each tick is later than the one before.

#![no_main]

use libfuzzer_sys::fuzz_target;
use treenail_schedule::{AwsCron, Timestamp};

fuzz_target!(|text: &str| {
    let Ok(cron) = AwsCron::parse(text) else { return };
    let mut now = Timestamp::from_millis(1_795_201_200_000);
    for _ in 0..8 {
        let Some(next) = cron.next_after(now) else { return };
        assert!(next > now && next.as_millis() % 60_000 == 0);
        now = next;
    }
});
