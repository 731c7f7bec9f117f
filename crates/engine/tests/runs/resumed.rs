//! Runs that resume others: what is restarted, and what is shown of the run before.

use std::{collections::BTreeMap, sync::Arc};

use treenail_engine::{
    glue::{
        Component, Condition, CopiedRun, CrawlState, Input, JobRun, JobRunState, Logical, Origin, Predicate,
        PreviousRun, Rejected, Reply, RunStatus, TriggerKind, graph,
    },
    ids::WorkflowRunId,
};

use JobRunState::Succeeded;

use crate::world::{World, starts, when};

pub(crate) fn previous(world: &World, run: WorkflowRunId) -> Box<PreviousRun> {
    let record = world.run(run).clone();
    let plan = Arc::clone(&world.rows.plans[&(record.workflow_uid.clone(), record.plan_sequence)]);
    let mut nodes = BTreeMap::<usize, Vec<CopiedRun>>::new();
    let is_own = |job_run: &&JobRun| job_run.spec.workflow_run() == Some(run);
    for job_run in world.rows.job_runs.values().filter(is_own) {
        let Origin::Workflow { node, .. } = job_run.spec.origin else {
            continue;
        };
        nodes.entry(node).or_default().push(CopiedRun::Job {
            id: job_run.id,
            state: job_run.state,
            was_retried: false,
            trigger_name: job_run.spec.trigger_name.clone(),
        });
    }
    for crawl in world.rows.crawls.values().filter(|crawl| crawl.run == Some(run)) {
        nodes.entry(crawl.node).or_default().push(CopiedRun::Crawl {
            id: crawl.id,
            state: crawl.state,
            trigger_name: crawl.trigger_name.clone(),
        });
    }
    Box::new(PreviousRun { record, plan, nodes })
}

pub(crate) fn node(job: &str) -> String {
    graph::node_id("000000000000", "us-east-1", "w", "JOB", job)
}

#[test]
fn a_resumed_run_restarts_the_nodes_and_what_lies_downstream() {
    let mut world = World::new();
    for job in ["a", "b", "c"] {
        world.job(job, |_| ());
    }
    let join = when("t", Logical::And, &[("a", Succeeded), ("b", Succeeded)], &["c"]);
    world.workflow("w", None, vec![starts("s", &["a", "b"]), join]);
    let run = world.start("w").unwrap();
    let resume = |world: &mut World, nodes: &[&str]| {
        let previous = previous(world, run);
        let node_ids = nodes.iter().map(|job| node(job)).collect();
        world.put(Input::ResumeWorkflowRun {
            workflow: "w".into(),
            previous,
            node_ids,
        })
    };
    assert_eq!(
        resume(&mut world, &["a"]),
        Err(Rejected::IllegalStatus {
            run,
            status: RunStatus::Running
        })
    );
    world.succeed("a");
    world.fail("b");
    assert_eq!(resume(&mut world, &[]), Err(Rejected::NoNodes));
    assert_eq!(
        resume(&mut world, &["c"]),
        Err(Rejected::NodeNotRun { node: node("c"), run })
    );
    let Ok(Reply::Resumed(resumed, nodes)) = resume(&mut world, &["b"]) else {
        panic!("not resumed")
    };
    assert_eq!(nodes, [node("b")]);
    world.restart();
    assert_eq!(world.run(resumed).previous, Some(run));
    world.succeed("b");
    world.succeed("c");
    let record = world.run(resumed);
    assert_eq!(
        (record.status, record.statistics.succeeded, record.statistics.total),
        (RunStatus::Completed, 3, 3)
    );
    assert_eq!(world.states("a"), [Succeeded], "what was copied is not run again");
    // Of two nodes of which one lies downstream of the other, only the upper one is restarted.
    let previous = previous(&world, resumed);
    let both = Input::ResumeWorkflowRun {
        workflow: "w".into(),
        previous,
        node_ids: vec![node("c"), node("b")],
    };
    assert!(matches!(world.put(both), Ok(Reply::Resumed(_, nodes)) if nodes == [node("b")]));
}

#[test]
fn a_restart_latches_no_trigger_for_a_crawler_that_a_resumed_run_begins_with() {
    let mut world = World::new();
    for job in ["a", "b"] {
        world.job(job, |_| ());
    }
    // The crawl leads to b, and b could start it again: so the trigger before it may still fire in the resumed run.
    let mut crawls = when("t", Logical::Any, &[("a", Succeeded), ("b", Succeeded)], &["b"]);
    crawls.actions[0].component = Component::Crawler("k".into());
    let mut then = when("u", Logical::And, &[], &["b"]);
    then.kind = TriggerKind::Conditional(Predicate {
        logical: Logical::And,
        conditions: vec![Condition::Crawler("k".into(), CrawlState::Error)],
    });
    world.workflow("w", None, vec![starts("s", &["a"]), crawls, then]);
    let run = world.start("w").unwrap();
    world.succeed("a");
    world.succeed("b");
    let crawler = graph::node_id("000000000000", "us-east-1", "w", "CRAWLER", "k");
    let resume = Input::ResumeWorkflowRun {
        workflow: "w".into(),
        previous: previous(&world, run),
        node_ids: vec![crawler],
    };
    assert!(matches!(world.put(resume), Ok(Reply::Resumed(..))));
    // Compares what is rebuilt with what was there.
    world.restart();
}
