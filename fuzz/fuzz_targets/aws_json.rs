//! Any bytes as a request of any operation: decoded, validated and written again without a panic, and what was decoded
//! once decodes to itself.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use prost_reflect::DynamicMessage;
use treenail_aws_json::{Limits, Schema};
use treenail_proto::{contract, validate};

static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::new(treenail_proto::descriptors()).expect("the contract has one spelling"));

fuzz_target!(|data: &[u8]| {
    let Some((&choice, body)) = data.split_first() else { return };
    let operations = contract::operations();
    let operation = &operations[usize::from(choice) % operations.len()];
    let Ok(decoded) = SCHEMA.decode(&operation.input, body, &Limits::default()) else { return };
    let _words = validate::message(&validate::violations(&decoded.message));
    let bytes = prost_bytes(&decoded.message);
    let mut json = Vec::new();
    SCHEMA.encode(&operation.input, &bytes, &mut json).expect("a message that was decoded can be written");
    let again = SCHEMA.decode(&operation.input, &json, &Limits::default()).expect("what we write we can read");
    // Over the wire a list or a map that is empty is one that is not there.
    let wired = |bytes: &[u8]| DynamicMessage::decode(operation.input.clone(), bytes).expect("we have encoded it");
    assert!(wired(&prost_bytes(&again.message)) == wired(&bytes));
});

fn prost_bytes(message: &impl prost::Message) -> Vec<u8> {
    message.encode_to_vec()
}
