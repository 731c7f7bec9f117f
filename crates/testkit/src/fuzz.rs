//! What fuzzers feed, and what every run of the tests replays of their corpora: none of it may panic.

use std::{future::ready, path::Path, sync::LazyLock};

use prost_reflect::{DynamicMessage, prost::Message as _};
use treenail_aws_json::{Limits, Schema};
use treenail_engine::ids::{JobRunId, WorkflowRunId};
use treenail_properties_store::store::memory::Memory;
use treenail_proto::{contract, descriptors, validate};
use treenail_rpc::{Clock, Entropy, Scope, in_process};
use treenail_run_scheduler::store::{
    BatchRow, Changes, CopiesRow, CrawlRow, EventRow, InvocationRow, JobRunRow, PlanKind, PlanRow, RunRow, ScheduleRow,
    Store as _, memory::MemoryStore,
};
use treenail_storage::{page::Token, seal::seal};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::new(descriptors()).expect("the contract has one spelling"));

/// Any bytes as a gRPC message of any operation: decoded, judged and written as JSON, which is read again.
///
/// # Panics
/// When what we write cannot be read.
pub fn message(data: &[u8]) {
    let Some((&choice, body)) = data.split_first() else {
        return;
    };
    let operations = contract::operations();
    let input = &operations[usize::from(choice) % operations.len()].input;
    let Ok(message) = DynamicMessage::decode(input.clone(), body) else {
        return;
    };
    let _words = validate::message(&validate::violations(&message));
    let mut json = Vec::new();
    if SCHEMA.encode(input, &message.encode_to_vec(), &mut json).is_ok() {
        // What is too deep or too large for a request may still be an answer.
        let _read = SCHEMA.decode(input, &json, &Limits::default());
        assert!(
            serde_json::from_slice::<serde_json::Value>(&json).is_ok(),
            "what we write is no JSON"
        );
    }
}

/// Any text as an id, a token, an account and a region: what is taken prints as it was.
///
/// # Panics
/// When an id prints otherwise.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(id) = text.parse::<JobRunId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = text.parse::<WorkflowRunId>() {
        assert_eq!(id.to_string(), text);
    }
    let _position = Token::decode(&["GetJobRuns", "scope"], text);
    let (account, region) = text.split_once('/').unwrap_or((text, ""));
    let _scope = Scope::parse(account, region);
}

/// Any bytes as the value of every stored row: a run-scheduler starts over them.
///
/// # Panics
/// When a runtime cannot be built, or the run-scheduler does not start.
pub fn rows(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without sockets needs nothing of the machine");
    runtime.block_on(async {
        let store = MemoryStore::default();
        store.commit(changes(data)).await.expect("memory does not fail");
        let deps = treenail_properties_store::Deps { store: Memory::new() };
        let properties = treenail_properties_store::build(treenail_properties_store::Config::default(), deps);
        let deps = treenail_run_scheduler::Deps {
            store,
            properties: in_process(properties.routes()),
            clock: Clock::following(|| 0),
            entropy: Entropy::seeded(1),
            logs: Path::new(""),
        };
        let service = treenail_run_scheduler::build(treenail_run_scheduler::Config::default(), deps);
        service.run(ready(())).await.expect("a damaged row stops nothing");
    });
}

fn changes(data: &[u8]) -> Changes {
    let (scope, value) = (Scope::default(), seal(data.to_vec()));
    let run = run_id();
    let plan = |kind, name: &str| PlanRow {
        scope: scope.clone(),
        kind,
        name: name.to_owned(),
        uid: name.to_owned(),
        sequence: 1,
        written_at_ms: 0,
        is_deleted: false,
        data: value.clone(),
    };
    Changes {
        plans: vec![
            plan(PlanKind::Workflow, "workflow"),
            plan(PlanKind::Job, "job"),
            plan(PlanKind::Trigger, "trigger"),
        ],
        copies: vec![CopiesRow {
            run_id: run.clone(),
            data: value.clone(),
        }],
        schedules: vec![ScheduleRow {
            scope: scope.clone(),
            workflow: "workflow".to_owned(),
            trigger: "trigger".to_owned(),
            next_at_ms: Some(0),
        }],
        batches: vec![BatchRow {
            scope: scope.clone(),
            workflow: "workflow".to_owned(),
            data: Some(value.clone()),
        }],
        events: vec![EventRow {
            run_id: run,
            sequence: 1,
            at_ms: 0,
            data: value.clone(),
        }],
        invocations: vec![InvocationRow {
            scope,
            key: "key".to_owned(),
            answer: String::from_utf8_lossy(data).into_owned(),
            expires_at_ms: i64::MAX,
        }],
        ..what_runs(&run_id(), &value)
    }
}

/// A run with what runs in it.
fn what_runs(run: &str, value: &[u8]) -> Changes {
    let (scope, run, value) = (Scope::default(), run.to_owned(), value.to_vec());
    Changes {
        runs: vec![RunRow {
            scope: scope.clone(),
            id: run.clone(),
            workflow_uid: "workflow".to_owned(),
            plan_sequence: 1,
            started_at_ms: 0,
            is_open: true,
            data: value.clone(),
        }],
        job_runs: vec![JobRunRow {
            scope: scope.clone(),
            id: format!("jr_{}", "1".repeat(64)),
            job_uid: Some("job".to_owned()),
            run_id: Some(run.clone()),
            chain_id: None,
            started_at_ms: 0,
            is_open: true,
            data: value.clone(),
        }],
        crawls: vec![CrawlRow {
            scope,
            id: "00000000-0000-4000-8000-000000000000".to_owned(),
            run_id: Some(run),
            started_at_ms: 0,
            data: value,
        }],
        ..Changes::default()
    }
}

fn run_id() -> String {
    format!("wr_{}", "0".repeat(64))
}
