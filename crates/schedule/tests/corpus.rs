//! Replays the fuzzer's corpus: what it tries, the stable toolchain tries in every run.

use std::{fs, path::Path};

use treenail_schedule::{AwsCron, Timestamp};

#[test]
fn every_expression_of_the_corpus_is_refused_or_ticks_forward() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/cron");
    let mut ticks = 0;
    for entry in fs::read_dir(corpus).expect("the corpus is there") {
        let text = fs::read_to_string(entry.expect("listed").path()).expect("a text");
        let Ok(cron) = AwsCron::parse(&text) else { continue };
        let mut now = Timestamp::from_millis(1_795_201_200_000);
        for _ in 0..8 {
            let Some(next) = cron.next_after(now) else { break };
            assert!(next > now && next.as_millis() % 60_000 == 0, "{text}");
            now = next;
            ticks += 1;
        }
    }
    assert!(ticks >= 40, "the corpus has expressions that tick, not {ticks} times");
}
