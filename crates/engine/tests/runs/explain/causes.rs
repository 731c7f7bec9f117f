//! Causes that lie with single jobs, with stops and with what counts and what does not.

use std::sync::Arc;

use treenail_engine::{
    glue::{Component, Condition, Input, JobRunState, Logical, Outcome, Predicate, TriggerKind, TriggerPlan},
    ids::JobRunId,
};
use treenail_schedule::AwsCron;

use JobRunState::{Failed, Stopped, Succeeded, Timeout};

use super::{World, and, check, resume, starts, told, told_with, when, world_of};

/// The only run of a job that has not ended.
fn current(world: &World, job: &str) -> JobRunId {
    let mut runs = world.rows.job_runs.values();
    let found = runs.find(|run| run.spec.job_name == job && !run.state.is_terminal());
    found.unwrap().id
}

fn call(world: &mut World, job: &str) {
    let job = job.to_owned();
    let call = Input::StartJobRun {
        job,
        previous: None,
        overrides: Box::default(),
    };
    world.put(call).unwrap();
}

#[test]
fn a_job_that_ran_too_long_is_told_with_its_timeout() {
    let mut world = World::new();
    world.job("a", |plan| plan.settings.timeout_minutes = Some(1));
    world.workflow("w", None, vec![starts("s", &["a"])]);
    let run = world.start("w").unwrap();
    world.advance(60_000);
    check(
        &told(&world, run, Some("a")),
        &["The trigger s fired", "ended as TIMEOUT", ": Job run timed out"],
    );
    check(
        &told(&world, run, None),
        &["a ended as TIMEOUT (Job run timed out)", "ended as COMPLETED"],
    );
    assert_eq!(world.states("a"), [Timeout]);
}

#[test]
fn a_job_that_lasts_longer_than_expected_is_told_to() {
    let mut world = World::new();
    world.job("a", |plan| plan.settings.notify_delay_minutes = Some(1));
    world.workflow("w", None, vec![starts("s", &["a"])]);
    let run = world.start("w").unwrap();
    world.advance(60_000);
    check(&told(&world, run, Some("a")), &["longer than its NotifyDelayAfter"]);
}

#[test]
fn a_job_that_was_stopped_tells_by_what() {
    let mut world = world_of(&["a", "b"], vec![starts("s", &["a", "b"])]);
    let run = world.start("w").unwrap();
    let job_run = current(&world, "a");
    world.put(Input::StopJobRun { job_run }).unwrap();
    check(
        &told(&world, run, Some("a")),
        &["ended as STOPPED", "because it alone was stopped"],
    );
    world.put(Input::StopWorkflowRun { run }).unwrap();
    check(
        &told(&world, run, Some("a")),
        &["ended as STOPPED", "because it alone was stopped"],
    );
    check(
        &told(&world, run, Some("b")),
        &["ended as STOPPED", "because the run was stopped"],
    );
    check(
        &told(&world, run, None),
        &[
            "A stop was requested",
            "The run ended as STOPPED",
            "a ended as STOPPED, b ended as STOPPED",
        ],
    );
}

#[test]
fn an_end_after_the_stop_is_told_to_come_too_late() {
    let mut world = world_of(
        &["a", "b", "c"],
        vec![starts("s", &["a"]), and(&[("a", Stopped), ("b", Succeeded)])],
    );
    let run = world.start("w").unwrap();
    world.put(Input::StopWorkflowRun { run }).unwrap();
    check(
        &told(&world, run, Some("c")),
        &[
            "a is to end as STOPPED and ended as STOPPED only when the run had been stopped",
            "b is to end as SUCCEEDED and has not run",
            "The trigger t cannot fire any more: the run was stopped",
        ],
    );
}

#[test]
fn a_run_that_was_stopped_before_it_began_says_so() {
    let mut world = World::new();
    world.is_prompt = false;
    world.job("a", |_| ());
    world.workflow("w", None, vec![starts("s", &["a"])]);
    let run = world.start("w").unwrap();
    world.put(Input::StopWorkflowRun { run }).unwrap();
    world.put(Input::Seeded { run }).unwrap();
    check(
        &told(&world, run, Some("a")),
        &["The trigger s cannot fire any more: the run was stopped"],
    );
    check(
        &told(&world, run, None),
        &["The run ended as STOPPED", "These never ran: a"],
    );
}

#[test]
fn what_could_not_start_is_told_with_its_error() {
    let mut world = world_of(&["a"], vec![starts("s", &["a", "gone"])]);
    call(&mut world, "a");
    let run = world.start("w").unwrap();
    check(
        &told(&world, run, Some("gone")),
        &["ended as ERROR", ": Job gone does not exist"],
    );
    check(
        &told(&world, run, Some("a")),
        &["ended as FAILED", ": Max concurrent runs exceeded"],
    );
    check(
        &told(&world, run, None),
        &["a ended as FAILED (Max concurrent runs exceeded), gone ended as ERROR (Job gone does not exist)"],
    );
}

#[test]
fn a_crawl_tells_that_there_is_no_crawler_and_what_waits_for_it() {
    let mut crawls = starts("s", &["a"]);
    crawls.actions[0].component = Component::Crawler("k".into());
    let after = TriggerPlan {
        kind: TriggerKind::Conditional(Predicate {
            logical: Logical::And,
            conditions: vec![Condition::Crawler(
                "k".into(),
                treenail_engine::glue::CrawlState::Succeeded,
            )],
        }),
        ..and(&[])
    };
    let mut world = world_of(&["c"], vec![crawls, after]);
    let run = world.start("w").unwrap();
    check(
        &told(&world, run, Some("k")),
        &[
            "The trigger s fired",
            "The crawl of k ended as ERROR",
            "there is no such crawler",
        ],
    );
    check(
        &told(&world, run, Some("c")),
        &["k is to end as SUCCEEDED and ended as ERROR"],
    );
    check(&told(&world, run, None), &["k ended as ERROR"]);
}

#[test]
fn a_condition_that_was_met_stays_met_when_its_node_runs_again() {
    let again = when("again", Logical::And, &[("b", Succeeded)], &["a"]);
    let join = and(&[("a", Succeeded), ("d", Succeeded)]);
    let mut world = world_of(&["a", "b", "c", "d"], vec![starts("s", &["a", "b", "d"]), again, join]);
    let run = world.start("w").unwrap();
    world.succeed("a");
    world.succeed("b");
    let text = told(&world, run, Some("t"));
    check(&text, &["d is to end as SUCCEEDED and is RUNNING (jr_"]);
    assert!(!text.contains("a is to end"), "what was met stays met: {text}");
    world.fail("a");
    let text = told(&world, run, Some("t"));
    assert!(!text.contains("a is to end"), "what was met stays met: {text}");
}

#[test]
fn what_waits_is_followed_to_what_it_waits_for_in_the_end() {
    let second = when("second", Logical::And, &[("a", Succeeded)], &["b"]);
    let third = when("third", Logical::And, &[("b", Succeeded)], &["c"]);
    let mut world = world_of(&["a", "b", "c"], vec![starts("s", &["a"]), second, third]);
    let run = world.start("w").unwrap();
    check(
        &told(&world, run, Some("c")),
        &[
            "The trigger third needs all of its conditions and has not fired: b is to end as SUCCEEDED and has not run.\n\
             The trigger second needs all of its conditions and has not fired: a is to end as SUCCEEDED and is RUNNING (jr_",
        ],
    );
    world.fail("a");
    check(
        &told(&world, run, Some("c")),
        &[
            "a is to end as SUCCEEDED and ended as FAILED (jr_",
            "ended without third",
        ],
    );
}

#[test]
fn triggers_that_wait_for_each_other_are_each_told_once() {
    let one = when("one", Logical::And, &[("b", Succeeded)], &["a"]);
    let other = when("other", Logical::And, &[("a", Succeeded)], &["b"]);
    let mut world = world_of(&["a", "b", "c"], vec![starts("s", &["c"]), one, other]);
    let run = world.start("w").unwrap();
    let text = told(&world, run, Some("a"));
    assert_eq!(text.matches("has not fired").count(), 2, "{text}");
}

#[test]
fn a_run_by_hand_after_a_failure_does_not_count_either() {
    let mut world = world_of(
        &["a", "b", "c"],
        vec![starts("s", &["a", "b"]), and(&[("a", Succeeded)])],
    );
    let run = world.start("w").unwrap();
    world.fail("a");
    call(&mut world, "a");
    world.succeed("a");
    check(
        &told(&world, run, Some("c")),
        &["a is to end as SUCCEEDED and ended as FAILED here and did so only in jr_"],
    );
}

#[test]
fn a_job_that_waits_for_its_retry_is_told_to_a_trigger_that_waits_for_it() {
    let mut world = World::new();
    world.job("a", |plan| plan.max_retries = 1);
    world.job("c", |_| ());
    world.workflow("w", None, vec![starts("s", &["a"]), and(&[("a", Succeeded)])]);
    let run = world.start("w").unwrap();
    world.fail("a");
    check(
        &told(&world, run, Some("c")),
        &["a is to end as SUCCEEDED and failed and is tried again at"],
    );
}

#[test]
fn a_trigger_of_a_resumed_run_tells_what_it_took_over() {
    let join = and(&[("a", Succeeded), ("b", Succeeded)]);
    let mut world = world_of(&["a", "b", "c"], vec![starts("s", &["a", "b"]), join]);
    let run = world.start("w").unwrap();
    world.succeed("a");
    world.fail("b");
    let (resumed, copied) = resume(&mut world, run, "b");
    check(
        &told_with(&world, resumed, Some("b"), &copied),
        &["b was restarted: the run resumes wr_", "runs since"],
    );
    world.succeed("b");
    check(
        &told_with(&world, resumed, Some("t"), &copied),
        &["once and for all, because a ended as SUCCEEDED, b ended as SUCCEEDED"],
    );
}

#[test]
fn what_a_resumed_run_took_over_fires_nothing_by_itself() {
    let second = when("second", Logical::And, &[("a", Succeeded)], &["b"]);
    let any = when("t", Logical::Any, &[("b", Succeeded), ("d", Succeeded)], &["c"]);
    let mut world = world_of(&["a", "b", "c", "d"], vec![starts("s", &["a", "d"]), second, any]);
    let run = world.start("w").unwrap();
    world.fail("a");
    world.succeed("d");
    world.succeed("c");
    let (resumed, copied) = resume(&mut world, run, "a");
    world.fail("a");
    check(
        &told_with(&world, resumed, Some("c"), &copied),
        &["it fires only when something that it watches ends anew"],
    );
}

#[test]
fn a_node_of_a_refused_run_is_told_of_the_refusal() {
    let mut world = World::new();
    world.job("a", |_| ());
    let mut scheduled = starts("s", &["a"]);
    let cron = AwsCron::parse("cron(* * * * ? *)").unwrap();
    scheduled.kind = TriggerKind::Scheduled(Arc::new(cron));
    scheduled.activated = true;
    world.workflow("w", Some(1), vec![scheduled]);
    world.advance(60_000);
    world.advance(60_000);
    let refused = world.rows.runs.values().find(|run| run.error.is_some()).unwrap().id;
    for node in ["a", "s"] {
        let text = told(&world, refused, Some(node));
        check(&text, &["The run was refused"]);
        assert!(!text.contains("stopped"), "nobody stopped it: {text}");
    }
}

#[test]
fn a_job_and_a_trigger_of_one_name_are_both_told() {
    let mut world = world_of(&["x"], vec![starts("x", &["x"])]);
    let run = world.start("w").unwrap();
    check(&told(&world, run, Some("x")), &["The trigger x fired", "runs since"]);
}

#[test]
fn many_things_are_counted_not_listed() {
    const JOBS: usize = 300;
    let names: Vec<String> = (0..JOBS).map(|number| format!("job{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let never = when("never", Logical::And, &[("nobody", Succeeded)], &names[1..]);
    let mut world = world_of(&names, vec![starts("s", &names), never]);
    let run = world.start("w").unwrap();
    let text = told(&world, run, None);
    check(&text, &["There are 280 more attempts."]);
    let fails = |world: &mut World, name: &str| {
        let error = "x".repeat(100);
        world.end(name, Outcome::Failed { error, detail: None })
    };
    for name in &names {
        fails(&mut world, name);
    }
    let text = told(&world, run, None);
    check(&text, &["and 280 more."]);
    assert!(text.len() < 10_000, "{} bytes", text.len());
    assert_eq!(world.states("job0"), [Failed]);
}
