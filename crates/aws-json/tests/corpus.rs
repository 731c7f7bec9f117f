//! Replays the fuzzer's corpus: what it tries, the stable toolchain tries in every run.

use std::{fs, path::Path};

use prost::Message as _;
use prost_reflect::DynamicMessage;
use treenail_aws_json::{Limits, Schema};
use treenail_proto::{contract, descriptors, validate};

#[test]
fn every_request_of_the_corpus_is_refused_or_decodes_to_itself() {
    let schema = Schema::new(descriptors()).expect("the contract has one spelling");
    let operations = contract::operations();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/aws_json");
    let mut decoded_count = 0;
    for entry in fs::read_dir(corpus).expect("the corpus is there") {
        let data = fs::read(entry.expect("listed").path()).expect("readable");
        let Some((&choice, body)) = data.split_first() else {
            continue;
        };
        let input = &operations[usize::from(choice) % operations.len()].input;
        let Ok(decoded) = schema.decode(input, body, &Limits::default()) else {
            continue;
        };
        assert!(validate::message(&validate::violations(&decoded.message)).len() < 1_000_000);
        let mut json = Vec::new();
        schema
            .encode(input, &decoded.message.encode_to_vec(), &mut json)
            .expect("it was decoded");
        let again = schema
            .decode(input, &json, &Limits::default())
            .expect("what we write we can read");
        // Over the wire a list or a map that is empty is one that is not there.
        let wired = |message: &DynamicMessage| {
            DynamicMessage::decode(input.clone(), message.encode_to_vec().as_slice()).expect("we have encoded it")
        };
        assert_eq!(wired(&again.message), wired(&decoded.message));
        decoded_count += 1;
    }
    assert!(
        decoded_count >= 10,
        "the corpus has requests that are let in, not {decoded_count}"
    );
}
