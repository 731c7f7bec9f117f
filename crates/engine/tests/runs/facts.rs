//! What AWS says of workflow runs, fact by fact.

use std::sync::Arc;

use treenail_engine::glue::{
    EndState, EventBatching, Input, JobRunState, Logical, NewEvent, Rejected, Reply, RunStatus, StartingBatch,
    TriggerKind,
};
use treenail_schedule::AwsCron;

use crate::world::{RETRY_DELAY_MS, World, starts, when};

use JobRunState::{Error, Failed, Starting, Stopped, Succeeded, Timeout, Waiting};

fn chain_of_two() -> World {
    let mut world = World::new();
    world.job("a", |_| ());
    world.job("b", |_| ());
    world.workflow(
        "w",
        None,
        vec![
            starts("s", &["a"]),
            when("t", Logical::And, &[("a", Succeeded)], &["b"]),
        ],
    );
    world
}

#[test]
fn a_run_goes_from_job_to_job_and_completes() {
    let mut world = chain_of_two();
    let run = world.start("w").unwrap();
    world.succeed("a");
    assert_eq!(world.run(run).status, RunStatus::Running);
    let b = world.succeed("b");
    let record = world.run(run);
    assert_eq!(
        (record.status, record.statistics.succeeded, record.statistics.total),
        (RunStatus::Completed, 2, 2)
    );
    assert_eq!(world.rows.job_runs[&b].spec.trigger_name.as_deref(), Some("t"));
    assert_eq!(world.rows.job_runs[&b].spec.predecessors.len(), 1);
}

#[test]
fn a_failed_job_does_not_fail_the_run() {
    let mut world = chain_of_two();
    let run = world.start("w").unwrap();
    world.fail("a");
    let record = world.run(run);
    assert_eq!(
        (record.status, record.statistics.failed, record.statistics.total),
        (RunStatus::Completed, 1, 2)
    );
    assert_eq!(world.states("b"), []);
}

#[test]
fn a_workflow_without_triggers_completes_at_once() {
    let mut world = World::new();
    world.workflow("w", None, Vec::new());
    let run = world.start("w").unwrap();
    assert_eq!(world.run(run).status, RunStatus::Completed);
}

#[test]
fn and_waits_for_all_and_any_fires_once() {
    for (logical, after_one, after_both) in [(Logical::And, 0, 1), (Logical::Any, 1, 1)] {
        let mut world = World::new();
        for job in ["a", "b", "c"] {
            world.job(job, |plan| plan.max_concurrent_runs = 9);
        }
        let join = when("t", logical, &[("a", Succeeded), ("b", Succeeded)], &["c"]);
        world.workflow("w", None, vec![starts("s", &["a", "b"]), join]);
        world.start("w").unwrap();
        world.succeed("b");
        assert_eq!(world.states("c").len(), after_one, "{logical:?}");
        world.succeed("a");
        assert_eq!(world.states("c").len(), after_both, "{logical:?}");
    }
}

#[test]
fn only_an_activated_trigger_fires() {
    let mut world = World::new();
    world.job("a", |_| ());
    world.job("b", |_| ());
    let mut trigger = when("t", Logical::And, &[("a", Succeeded)], &["b"]);
    trigger.activated = false;
    world.workflow("w", None, vec![starts("s", &["a"]), trigger]);
    let run = world.start("w").unwrap();
    world.succeed("a");
    assert_eq!(
        (world.run(run).status, world.states("b").len()),
        (RunStatus::Completed, 0)
    );
}

#[test]
fn triggers_are_frozen_at_the_start_of_a_run() {
    let mut world = chain_of_two();
    let run = world.start("w").unwrap();
    world.workflow("w", None, vec![starts("s", &["a"])]);
    world.succeed("a");
    world.succeed("b");
    assert_eq!(world.run(run).statistics.succeeded, 2);
}

#[test]
fn a_stop_is_final_at_any_moment() {
    // While a job runs.
    let mut world = chain_of_two();
    let run = world.start("w").unwrap();
    world.put(Input::StopWorkflowRun { run }).unwrap();
    assert_eq!(
        (world.run(run).status, world.states("a")),
        (RunStatus::Stopped, vec![Stopped])
    );
    // Before its properties are in place.
    let mut world = chain_of_two();
    world.is_prompt = false;
    let run = world.start("w").unwrap();
    world.put(Input::StopWorkflowRun { run }).unwrap();
    assert_eq!(world.run(run).status, RunStatus::Stopping);
    world.put(Input::Seeded { run }).unwrap();
    assert_eq!(
        (world.run(run).status, world.states("a").len()),
        (RunStatus::Stopped, 0)
    );
    // While a retry is due.
    let mut world = World::new();
    world.job("a", |plan| plan.max_retries = 3);
    world.workflow("w", None, vec![starts("s", &["a"])]);
    let run = world.start("w").unwrap();
    world.fail("a");
    world.put(Input::StopWorkflowRun { run }).unwrap();
    world.advance(RETRY_DELAY_MS * 10);
    assert_eq!(
        (world.run(run).status, world.states("a")),
        (RunStatus::Stopped, vec![Failed])
    );
    assert_eq!(world.put(Input::StopWorkflowRun { run }), Err(Rejected::NoWorkflowRun));
}

#[test]
fn retries_are_new_attempts_and_keep_the_slot() {
    let mut world = World::new();
    world.job("a", |plan| plan.max_retries = 1);
    world.workflow("w", None, vec![starts("s", &["a"])]);
    let run = world.start("w").unwrap();
    let first = world.fail("a");
    assert_eq!(world.run(run).status, RunStatus::Running);
    let call = Input::StartJobRun {
        job: "a".into(),
        previous: None,
        overrides: Box::default(),
    };
    assert_eq!(world.put(call), Err(Rejected::JobAtLimit("a".into())));
    world.advance(RETRY_DELAY_MS - 1);
    assert_eq!(world.states("a"), [Failed]);
    world.advance(1);
    let second = world.fail("a");
    assert_eq!(second.to_string(), format!("{first}_attempt_1"));
    assert_eq!(world.rows.job_runs[&second].previous, Some(first));
    let record = world.run(run);
    assert_eq!(
        (record.status, record.statistics.failed, record.statistics.total),
        (RunStatus::Completed, 1, 1)
    );
}

#[test]
fn limits_hold() {
    let mut world = World::new();
    world.job("a", |_| ());
    world.workflow("w", Some(1), vec![starts("s", &["a"])]);
    world.workflow("v", None, vec![starts("r", &["a"])]);
    world.start("w").unwrap();
    assert_eq!(world.start("w"), Err(Rejected::WorkflowAtLimit("w".into())));
    let refused = world.start("v").unwrap();
    assert_eq!(
        (world.states("a").last(), world.run(refused).status),
        (Some(&Failed), RunStatus::Completed)
    );
    world.succeed("a");
    world.start("w").unwrap();
}

#[test]
fn queued_runs_start_in_their_order() {
    let mut world = World::new();
    world.job("a", |plan| plan.settings.queuing = Some(true));
    let call = || Input::StartJobRun {
        job: "a".into(),
        previous: None,
        overrides: Box::default(),
    };
    let mut ids = Vec::new();
    for _ in 0..3 {
        let Ok(Reply::JobRun(id)) = world.put(call()) else {
            panic!("not started")
        };
        ids.push(id);
    }
    assert_eq!(world.states("a"), [JobRunState::Running, Waiting, Waiting]);
    assert_eq!(world.succeed("a"), ids[0]);
    world.restart();
    assert_eq!(world.succeed("a"), ids[1]);
    world.put(Input::StopJobRun { job_run: ids[2] }).unwrap();
    assert_eq!(world.states("a"), [Succeeded, Succeeded, Stopped]);
}

#[test]
fn a_timeout_ends_a_run_and_is_not_retried() {
    let mut world = World::new();
    world.job("a", |plan| {
        plan.settings.timeout_minutes = Some(1);
        plan.max_retries = 5;
    });
    world.workflow("w", None, vec![starts("s", &["a"])]);
    let run = world.start("w").unwrap();
    world.advance(59_999);
    assert_eq!(world.states("a"), [JobRunState::Running]);
    world.restart();
    world.advance(1);
    assert_eq!(
        (world.states("a"), world.run(run).statistics.timeout),
        (vec![Timeout], 1)
    );
}

#[test]
fn a_lost_worker_costs_an_attempt_only_after_the_start() {
    let mut world = chain_of_two();
    world.is_prompt = false;
    let run = world.start("w").unwrap();
    world.put(Input::Seeded { run }).unwrap();
    let job_run = world.ready.remove(0);
    let worker = treenail_engine::task::WorkerId::new("w1");
    world.put(Input::Leased { job_run, worker }).unwrap();
    world.put(Input::LeaseLost { job_run, token: 1 }).unwrap();
    assert_eq!(
        (world.states("a"), world.ready.as_slice()),
        (vec![Starting], [job_run].as_slice())
    );
    // The first worker was not dead after all: its word no longer counts.
    assert_eq!(
        world.put(Input::TaskStarted { job_run, token: 1 }),
        Err(Rejected::StaleToken)
    );
    world.hand_out();
    assert_eq!(world.rows.job_runs[&job_run].token, 2);
    world.put(Input::LeaseLost { job_run, token: 2 }).unwrap();
    assert_eq!(
        (world.states("a"), world.run(run).status),
        (vec![Failed], RunStatus::Completed)
    );
}

#[test]
fn a_deleted_job_leaves_an_error_and_a_deleted_workflow_stops_its_runs() {
    let mut world = chain_of_two();
    let run = world.start("w").unwrap();
    world
        .put(Input::DeleteJob {
            name: "b".into(),
            uid: "uid of b".into(),
        })
        .unwrap();
    world.succeed("a");
    assert_eq!((world.states("b"), world.run(run).statistics.errored), (vec![Error], 1));

    let mut world = chain_of_two();
    let run = world.start("w").unwrap();
    world
        .put(Input::DeleteWorkflow {
            name: "w".into(),
            uid: "uid of w".into(),
        })
        .unwrap();
    assert_eq!(world.run(run).status, RunStatus::Stopped);
    assert_eq!(world.start("w"), Err(Rejected::NoWorkflow));
}

#[test]
fn events_fill_batches_by_size_or_by_window() {
    let mut world = World::new();
    world.job("a", |plan| plan.max_concurrent_runs = 9);
    let mut start = starts("s", &["a"]);
    start.kind = TriggerKind::Event(EventBatching {
        size: 2,
        window_seconds: 900,
    });
    world.workflow("w", None, vec![start]);
    let event = |id: &str| {
        Input::Notify(NewEvent {
            workflow: "w".into(),
            id: id.into(),
        })
    };
    assert_eq!(world.put(event("1")), Ok(Reply::Done));
    let Ok(Reply::WorkflowRun(full)) = world.put(event("2")) else {
        panic!("not started")
    };
    assert_eq!(world.run(full).starting_batch, Some(StartingBatch::Size(2)));
    world.put(event("3")).unwrap();
    world.restart();
    world.advance(899_999);
    assert_eq!(world.rows.runs.len(), 1);
    world.advance(1);
    let last = world.rows.runs.values().last().unwrap();
    assert_eq!(last.starting_batch, Some(StartingBatch::Window(900)));
}

#[test]
fn a_schedule_ticks_once_each_time_and_catches_up_once() {
    let mut world = World::new();
    world.job("a", |plan| plan.max_concurrent_runs = 99);
    let mut start = starts("s", &["a"]);
    start.kind = TriggerKind::Scheduled(Arc::new(AwsCron::parse("cron(0/10 * * * ? *)").unwrap()));
    start.activated = true;
    world.workflow("w", Some(2), vec![start]);
    world.advance(600_000);
    assert_eq!(world.rows.runs.len(), 1);
    world.restart();
    world.advance(599_999);
    assert_eq!(world.rows.runs.len(), 1);
    // Away for a day: of all that was missed, the newest tick counts.
    world.advance(24 * 3_600_000 + 1);
    assert_eq!(world.rows.runs.len(), 2);
    // At the limit nobody is there to be told, so a record is left.
    world.advance(600_000);
    let last = world.rows.runs.values().last().unwrap();
    assert_eq!(
        (last.status, last.error.as_deref()),
        (RunStatus::Error, Some("Concurrent runs exceeded for workflow: w."))
    );
}

#[test]
fn outside_workflows_only_what_a_trigger_started_fires_triggers() {
    let mut world = World::new();
    for job in ["a", "b"] {
        world.job(job, |plan| plan.max_concurrent_runs = 9);
    }
    world.trigger(starts("s", &["a"]));
    world.trigger(when("t", Logical::And, &[("a", Succeeded)], &["b"]));
    world
        .put(Input::StartJobRun {
            job: "a".into(),
            previous: None,
            overrides: Box::default(),
        })
        .unwrap();
    world.succeed("a");
    assert_eq!(world.states("b"), []);
    world
        .put(Input::FireTrigger {
            workflow: None,
            trigger: "s".into(),
        })
        .unwrap();
    world.restart();
    world.succeed("a");
    assert_eq!(world.states("b").len(), 1);
    world.succeed("b");
}

#[test]
fn a_condition_looks_at_its_own_kind_of_end_only() {
    let condition = treenail_engine::glue::Condition::Job("a".into(), Failed);
    assert!(condition.holds(EndState::Job(Failed)));
    assert!(!condition.holds(EndState::Crawl(treenail_engine::glue::CrawlState::Failed)));
}
