//! Every cause that a run can have is told, from the history that the shard itself wrote.

mod causes;

use std::collections::BTreeMap;

use treenail_engine::{
    glue::{CopiedRun, Input, JobRun, JobRunState, Logical, Reply, explain::Known},
    ids::WorkflowRunId,
    task::WorkerId,
};

use JobRunState::{Failed, Succeeded};

use crate::{
    resumed::{node, previous},
    world::{RETRY_DELAY_MS, World, failed, starts, when},
};

/// What is said of a run, or of a node of it, in one text.
fn told(world: &World, run: WorkflowRunId, node: Option<&str>) -> String {
    told_with(world, run, node, &BTreeMap::new())
}

fn told_with(
    world: &World,
    run: WorkflowRunId,
    node: Option<&str>,
    copied: &BTreeMap<usize, Vec<CopiedRun>>,
) -> String {
    let record = world.run(run);
    let is_own = |job_run: &&JobRun| job_run.spec.workflow_run() == Some(run);
    let job_runs: Vec<JobRun> = world.rows.job_runs.values().filter(is_own).cloned().collect();
    let outside = world.rows.job_runs.values().filter(|job_run| !is_own(job_run));
    let outside: Vec<_> = outside
        .map(|job_run| (job_run.spec.job_name.clone(), job_run.id, job_run.state))
        .collect();
    let limits = world.rows.jobs.values();
    let limits: BTreeMap<_, _> = limits.map(|job| (job.name.clone(), job.max_concurrent_runs)).collect();
    let known = Known {
        record,
        plan: &world.rows.plans[&(record.workflow_uid.clone(), record.plan_sequence)],
        job_runs: &job_runs,
        copied,
        events: world.rows.events.get(&run).map_or(&[], Vec::as_slice),
        outside: &outside,
        limits: &limits,
    };
    let findings = node.map_or_else(|| known.run(), |node| known.node(node));
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn check(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

fn world_of(jobs: &[&str], triggers: Vec<treenail_engine::glue::TriggerPlan>) -> World {
    let mut world = World::new();
    for job in jobs {
        world.job(job, |_| ());
    }
    world.workflow("w", None, triggers);
    world
}

fn and(conditions: &[(&str, JobRunState)]) -> treenail_engine::glue::TriggerPlan {
    when("t", Logical::And, conditions, &["c"])
}

/// Resumes a run at a job: the new run, and what it shows of the old one.
fn resume(world: &mut World, run: WorkflowRunId, job: &str) -> (WorkflowRunId, BTreeMap<usize, Vec<CopiedRun>>) {
    let resume = Input::ResumeWorkflowRun {
        workflow: "w".into(),
        previous: previous(world, run),
        node_ids: vec![node(job)],
    };
    let Ok(Reply::Resumed(resumed, _)) = world.put(resume) else {
        panic!("not resumed")
    };
    let copies = world.rows.copies.iter().find(|copies| copies.run == resumed).unwrap();
    (resumed, copies.nodes.clone())
}

#[test]
fn a_node_waits_for_what_has_not_ended_or_ended_otherwise() {
    let join = and(&[("a", Succeeded), ("b", Succeeded)]);
    let mut world = world_of(&["a", "b", "c"], vec![starts("s", &["a", "b"]), join]);
    let run = world.start("w").unwrap();
    world.succeed("a");
    let text = told(&world, run, Some("c"));
    check(
        &text,
        &[
            "The trigger t needs all of its conditions",
            "b is to end as SUCCEEDED and is RUNNING",
        ],
    );
    assert!(!text.contains("a is to end"), "what is met is not waited for: {text}");
    check(
        &told(&world, run, None),
        &["started by a call of StartWorkflowRun", "b, jr_", "runs since"],
    );
    world.fail("b");
    check(
        &told(&world, run, Some("c")),
        &[
            "b is to end as SUCCEEDED and ended as FAILED",
            "ended without t: nothing was left",
        ],
    );
    check(
        &told(&world, run, None),
        &[
            "ended as COMPLETED",
            "which does not fail a run: b ended as FAILED",
            "These never ran: c",
        ],
    );
    check(&told(&world, run, Some("b")), &["ended as FAILED", ": failed"]);
    check(
        &told(&world, run, Some("s")),
        &["The trigger s fired", "it starts the run"],
    );
    check(&told(&world, run, Some("nobody")), &["no node nobody"]);
}

#[test]
fn a_trigger_that_fired_tells_why_and_one_that_was_not_activated_that_it_cannot() {
    let any = when("t", Logical::Any, &[("a", Succeeded), ("a", Failed)], &["c"]);
    let mut sleeping = when("u", Logical::And, &[("a", Succeeded)], &["b"]);
    sleeping.activated = false;
    let mut world = world_of(&["a", "b", "c"], vec![starts("s", &["a"]), any, sleeping]);
    let run = world.start("w").unwrap();
    check(
        &told(&world, run, Some("t")),
        &["needs any of its conditions", "a is to end as FAILED and is RUNNING"],
    );
    world.succeed("a");
    check(
        &told(&world, run, Some("t")),
        &["fired", "once and for all, because a ended as SUCCEEDED"],
    );
    check(
        &told(&world, run, Some("b")),
        &["The trigger u cannot fire in this run: it was not ACTIVATED"],
    );
}

#[test]
fn a_job_that_others_started_does_not_count() {
    let mut world = world_of(&["a", "b", "c"], vec![starts("s", &["b"]), and(&[("a", Succeeded)])]);
    let run = world.start("w").unwrap();
    check(
        &told(&world, run, Some("c")),
        &["a is to end as SUCCEEDED and has not run"],
    );
    let call = Input::StartJobRun {
        job: "a".into(),
        previous: None,
        overrides: Box::default(),
    };
    world.put(call).unwrap();
    world.succeed("a");
    check(&told(&world, run, Some("c")), &["did so only in jr_", "does not count"]);
}

#[test]
fn a_stop_is_told_with_what_it_kept_from_starting() {
    let mut world = world_of(&["a", "b", "c"], vec![starts("s", &["a"]), and(&[("a", Succeeded)])]);
    let run = world.start("w").unwrap();
    world.put(Input::StopWorkflowRun { run }).unwrap();
    check(
        &told(&world, run, None),
        &["A stop was requested", "nothing starts after that"],
    );
    check(
        &told(&world, run, Some("c")),
        &["The trigger t cannot fire any more: the run was stopped"],
    );
}

#[test]
fn waiting_is_told_by_what_is_waited_for() {
    let mut world = World::new();
    world.is_prompt = false;
    world.job("a", |plan| {
        plan.max_retries = 1;
        plan.settings.queuing = Some(true);
    });
    world.workflow("w", None, vec![starts("s", &["a"])]);
    let run = world.start("w").unwrap();
    check(
        &told(&world, run, None),
        &["waits until the properties-store has its properties"],
    );
    check(&told(&world, run, Some("s")), &["waits until the properties-store"]);
    world.put(Input::Seeded { run }).unwrap();
    check(
        &told(&world, run, Some("a")),
        &["started by s", "waits for a worker with a free slot"],
    );
    let second = world.start("w").unwrap();
    world.put(Input::Seeded { run: second }).unwrap();
    check(
        &told(&world, second, Some("a")),
        &["waits for one of the 1 concurrent runs of the job to end"],
    );

    let job_run = world.ready.remove(0);
    let worker = WorkerId::new("w1");
    world.put(Input::Leased { job_run, worker }).unwrap();
    check(
        &told(&world, run, Some("a")),
        &["was handed to the worker w1, which has not started it yet"],
    );
    world.put(Input::LeaseLost { job_run, token: 1 }).unwrap();
    check(
        &told(&world, run, Some("a")),
        &["waits for another worker: the one that had it was lost"],
    );
    world.hand_out();
    world.end("a", failed());
    check(
        &told(&world, run, Some("a")),
        &["failed and is tried again at", ": failed"],
    );
    world.advance(RETRY_DELAY_MS);
    check(
        &told(&world, run, Some("a")),
        &["(attempt 0", "ended as FAILED", "(attempt 1"],
    );
}

#[test]
fn refusals_and_runs_with_nothing_to_do_are_told() {
    let mut world = World::new();
    world.workflow("empty", None, Vec::new());
    let run = world.start("empty").unwrap();
    check(
        &told(&world, run, None),
        &["no trigger that starts it", "ended as COMPLETED"],
    );

    let mut scheduled = starts("s", &["a"]);
    let cron = treenail_schedule::AwsCron::parse("cron(* * * * ? *)").unwrap();
    scheduled.kind = treenail_engine::glue::TriggerKind::Scheduled(std::sync::Arc::new(cron));
    scheduled.activated = true;
    world.job("a", |_| ());
    world.workflow("w", Some(1), vec![scheduled]);
    world.advance(60_000);
    world.advance(60_000);
    let refused = world.rows.runs.values().find(|run| run.error.is_some()).unwrap().id;
    check(
        &told(&world, refused, None),
        &[
            "The run was refused",
            "the tick of its schedule at",
            "all 1 runs that its MaxConcurrentRuns allows",
        ],
    );
}

#[test]
fn a_resumed_run_tells_what_it_did_not_restart() {
    let join = and(&[("a", Succeeded), ("b", Succeeded)]);
    let mut world = world_of(&["a", "b", "c"], vec![starts("s", &["a", "b"]), join]);
    let run = world.start("w").unwrap();
    world.succeed("a");
    world.fail("b");
    let (resumed, copied) = resume(&mut world, run, "b");
    let of = |node| told_with(&world, resumed, Some(node), &copied);
    check(
        &of("a"),
        &["a was not restarted: it shows, and counts, what ran in wr_"],
    );
    check(
        &of("s"),
        &["The trigger s does not fire in this run: it lies before the nodes that were resumed"],
    );
    check(&of("c"), &["b is to end as SUCCEEDED and is RUNNING"]);
    check(
        &told_with(&world, resumed, None, &copied),
        &["a call of ResumeWorkflowRun for wr_"],
    );
}
