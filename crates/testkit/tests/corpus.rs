//! Replays the fuzzers' corpora: what they try, the stable toolchain tries in every run.

use std::{fs, path::Path};

use treenail_testkit::fuzz;

#[test]
fn nothing_of_the_corpora_panics() {
    for (name, feed) in [
        ("messages", fuzz::message as fn(&[u8])),
        ("text", fuzz::text),
        ("rows", fuzz::rows),
    ] {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fuzz/corpus")
            .join(name);
        let mut count = 0;
        for entry in fs::read_dir(corpus).expect("the corpus is there") {
            feed(&fs::read(entry.expect("listed").path()).expect("readable"));
            count += 1;
        }
        assert!(count >= 10, "the corpus {name} has only {count} entries");
    }
}
