//! What the transcoder takes from strangers, and what it writes for AWS's clients.

use proptest::{collection::btree_map, option, prelude::*};
use treenail_aws_json::{DEPTH_MAX, Decoded, Limits, Problem, Schema};
use treenail_proto::descriptors;

use prost::Message as _;

fn schema() -> Schema {
    Schema::new(descriptors()).expect("the contract is unambiguous")
}

fn decode(message: &str, body: &[u8], limits: &Limits) -> Result<Decoded, Problem> {
    let descriptor = descriptors()
        .get_message_by_name(message)
        .expect("the contract has the message");
    let decoded = schema().decode(&descriptor, body, limits);
    decoded.map_err(|error| error.problem)
}

/// The body as it comes back.
fn back(message: &str, body: &[u8]) -> Result<String, Problem> {
    let decoded = decode(message, body, &Limits::default())?;
    let descriptor = descriptors()
        .get_message_by_name(message)
        .expect("the contract has the message");
    let mut out = Vec::new();
    schema()
        .encode(&descriptor, &decoded.message.encode_to_vec(), &mut out)
        .expect("what was read is a message");
    Ok(String::from_utf8(out).expect("JSON is UTF-8"))
}

const WORKFLOW: &str = "treenail.glue.v1.Workflow";

#[test]
fn members_come_back_as_aws_spells_them() {
    let rows: [(&str, &str); 8] = [
        ("", r#"{"DefaultRunProperties":{}}"#),
        ("{}", r#"{"DefaultRunProperties":{}}"#),
        (r#"{"Name":null}"#, r#"{"DefaultRunProperties":{}}"#),
        (
            r#" {"Unknown":[{"a":[1,null,"x"]}],"Name":"n"} "#,
            r#"{"Name":"n","DefaultRunProperties":{}}"#,
        ),
        (
            r#"{"DefaultRunProperties":{"b":"2","a":"1"}}"#,
            r#"{"DefaultRunProperties":{"a":"1","b":"2"}}"#,
        ),
        (
            r#"{"CreatedOn":1602811020.518}"#,
            r#"{"DefaultRunProperties":{},"CreatedOn":1602811020.518}"#,
        ),
        (r#"{"CreatedOn":-1}"#, r#"{"DefaultRunProperties":{},"CreatedOn":-1}"#),
        (
            r#"{"MaxConcurrentRuns":0}"#,
            r#"{"DefaultRunProperties":{},"MaxConcurrentRuns":0}"#,
        ),
    ];
    for (body, expected) in rows {
        assert_eq!(back(WORKFLOW, body.as_bytes()).as_deref(), Ok(expected), "{body}");
    }
}

#[test]
fn hostile_bodies_are_refused_for_what_is_wrong_with_them() {
    let integer = Problem::Mismatch("an integer of 32 bits");
    let time = Problem::Mismatch("a time in seconds since 1970");
    let rows: [(&[u8], Problem); 17] = [
        (b"[]", Problem::Mismatch("an object")),
        (b"null", Problem::Mismatch("an object")),
        (b"{", Problem::Truncated),
        (b"{} x", Problem::Syntax),
        (b"{}{}", Problem::Syntax),
        (b"\xef\xbb\xbf{}", Problem::Syntax),
        (b"{\"Name\":\"\xff\"}", Problem::Syntax),
        (br#"{"Name":"a","Name":"b"}"#, Problem::Duplicate),
        (br#"{"Name":null,"Name":"b"}"#, Problem::Duplicate),
        (br#"{"DefaultRunProperties":{"a":"1","a":"1"}}"#, Problem::Duplicate),
        (br#"{"Name":1}"#, Problem::Mismatch("a string")),
        (br#"{"DefaultRunProperties":{"a":null}}"#, Problem::Mismatch("a string")),
        (br#"{"DefaultRunProperties":[]}"#, Problem::Mismatch("an object")),
        (br#"{"MaxConcurrentRuns":1.0}"#, integer),
        (br#"{"MaxConcurrentRuns":2147483648}"#, integer),
        (br#"{"CreatedOn":"2020-01-01"}"#, time),
        (br#"{"CreatedOn":1e300}"#, time),
    ];
    for (body, problem) in rows {
        let text = String::from_utf8_lossy(body);
        assert_eq!(back(WORKFLOW, body), Err(problem), "{text}");
    }
}

#[test]
fn depth_and_tokens_are_bounded_in_members_that_nobody_knows() {
    let nested = |depth: usize| format!(r#"{{"X":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let limits = Limits::default();
    assert!(decode(WORKFLOW, nested(DEPTH_MAX - 1).as_bytes(), &limits).is_ok());
    let too_deep = decode(WORKFLOW, nested(DEPTH_MAX).as_bytes(), &limits);
    assert_eq!(too_deep.unwrap_err(), Problem::TooDeep);
    let few = Limits {
        tokens_max: 4,
        ..limits
    };
    assert!(decode(WORKFLOW, br#"{"X":[1]}"#, &few).is_ok());
    let too_many = decode(WORKFLOW, br#"{"X":[1,2]}"#, &few);
    assert_eq!(too_many.unwrap_err(), Problem::TooManyTokens);
}

#[test]
fn an_unknown_enum_value_is_told_with_its_member() {
    let body = br#"{"Predicate":{"Conditions":[{"LogicalOperator":"EQUALS"},{"LogicalOperator":"NEAR"}]}}"#;
    let decoded = decode("treenail.glue.v1.Trigger", body, &Limits::default()).unwrap();
    let [unknown] = decoded.unknown_enums.as_slice() else {
        panic!("one value is unknown: {:?}", decoded.unknown_enums);
    };
    assert_eq!(unknown.path, "predicate.conditions.2.member.logicalOperator");
    assert_eq!(unknown.value, "NEAR");
    assert_eq!(unknown.allowed, ["EQUALS"]);
}

proptest! {
    #[test]
    fn what_was_written_reads_the_same(
        name in option::of(".{0,20}"),
        properties in btree_map(".{0,8}", ".{0,8}", 0..5),
        runs in option::of(any::<i32>()),
        millis in option::of(-62_135_596_800_000_i64..253_402_300_800_000),
    ) {
        let workflow = treenail_proto::glue::v1::Workflow {
            name,
            default_run_properties: properties,
            max_concurrent_runs: runs,
            created_on: millis.map(|millis| prost_types::Timestamp {
                seconds: millis.div_euclid(1_000),
                nanos: i32::try_from(millis.rem_euclid(1_000) * 1_000_000).unwrap(),
            }),
            ..Default::default()
        };
        let descriptor = descriptors().get_message_by_name(WORKFLOW).unwrap();
        let mut json = Vec::new();
        schema().encode(&descriptor, &workflow.encode_to_vec(), &mut json).unwrap();
        let decoded = schema().decode(&descriptor, &json, &Limits::default()).unwrap();
        prop_assert_eq!(decoded.message.transcode_to::<treenail_proto::glue::v1::Workflow>().unwrap(), workflow);
    }

    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let descriptor = descriptors().get_message_by_name(WORKFLOW).unwrap();
        let mut out = Vec::new();
        if schema().encode(&descriptor, &body, &mut out).is_ok() {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
        }
        if let Err(error) = schema().decode(&descriptor, &body, &Limits::default()) {
            prop_assert!(error.line >= 1);
        }
    }
}
