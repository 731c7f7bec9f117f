//! What is acknowledged is kept and published, whatever fails.

use std::collections::BTreeMap;

use treenail_control_plane::{
    Config,
    kind::Kind,
    store::memory::{Failure, MemoryStore},
};
use treenail_proto::glue::v1::{
    CreateWorkflowRequest, DeleteJobRequest, GetJobRequest, GetJobsRequest, ListJobsRequest, StartTriggerRequest,
};
use treenail_rpc::Scope;

use crate::{
    scheduler::FakeScheduler,
    words::{conditional, job, on_demand, refused, text},
    world::{World, describe},
};

/// Does not keep tests waiting for a scheduler that is down.
fn impatient() -> Config {
    Config {
        publish_wait_ms: 10,
        ..Config::default()
    }
}

/// What the scheduler knows of: a plan that came again, as it may after a restart, changes nothing.
fn published(world: &World) -> Vec<String> {
    let state = world.scheduler.state();
    let by_sequence: BTreeMap<u64, String> = state.plans.iter().map(|plan| (plan.sequence, describe(plan))).collect();
    by_sequence.into_values().collect()
}

#[tokio::test]
async fn a_change_is_acknowledged_while_the_scheduler_is_down_and_published_by_the_next_process() {
    let scheduler = FakeScheduler::default();
    scheduler.state().is_down = true;
    let world = World::start_with(impatient(), MemoryStore::default(), scheduler);
    world.create_workflow("w").await;
    world.create_trigger(on_demand("t", Some("w"), &["j"])).await;
    assert_eq!(published(&world), [""; 0]);
    world.scheduler.state().is_down = false;
    let world = world.restart(Config::default()).await;
    // Whoever changes something next waits for all that came before.
    world.create_job("j").await;
    assert_eq!(published(&world), ["workflow w []", "workflow w [t]", "job j"]);
}

#[tokio::test]
async fn publication_goes_on_by_itself_when_the_scheduler_is_back() {
    let scheduler = FakeScheduler::default();
    scheduler.state().is_down = true;
    let world = World::start_with(impatient(), MemoryStore::default(), scheduler);
    world.create_workflow("w").await;
    world.scheduler.state().is_down = false;
    tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while published(&world).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(published(&world), ["workflow w []"]);
}

#[tokio::test]
async fn a_trigger_is_fired_after_all_that_was_defined_before() {
    let world = World::start();
    world.create_workflow("w").await;
    world.create_trigger(on_demand("t", Some("w"), &["j"])).await;
    let world = world.restart(Config::default()).await;
    world
        .triggers()
        .start_trigger(StartTriggerRequest { name: text("t") })
        .await
        .unwrap();
    assert_eq!(published(&world), ["workflow w []", "workflow w [t]"]);
    assert_eq!(world.scheduler.state().fired.len(), 1);
}

#[tokio::test]
async fn a_commit_that_fails_is_not_acknowledged() {
    let world = World::start();
    world.store.fail_next_commit(Failure::Refused);
    let create = || CreateWorkflowRequest {
        name: text("w"),
        ..CreateWorkflowRequest::default()
    };
    let refusal = world.workflows().create_workflow(create()).await;
    refused(
        refusal,
        "InternalServiceException",
        "An internal service error occurred.",
    );
    world.create_workflow("w").await;
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_published_all_the_same() {
    let world = World::start();
    world.store.fail_next_commit(Failure::AnswerLost);
    let refusal = world.jobs().create_job(job("j", "glueetl")).await;
    refused(
        refusal,
        "InternalServiceException",
        "An internal service error occurred.",
    );
    // The client tries again, which is the same job.
    world.create_job("j").await;
    world.create_workflow("w").await;
    assert_eq!(published(&world), ["job j", "workflow w []"]);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_our_failure() {
    let world = World::start();
    world.create_job("j").await;
    world.store.fail_reads(true);
    let refusal = world.jobs().get_job(GetJobRequest { job_name: text("j") }).await;
    refused(
        refusal,
        "InternalServiceException",
        "An internal service error occurred.",
    );
    world.store.fail_reads(false);
    world
        .jobs()
        .get_job(GetJobRequest { job_name: text("j") })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_row_that_cannot_be_decoded_harms_nobody_else_and_can_be_deleted() {
    let world = World::start();
    for name in ["a", "b"] {
        world.create_job(name).await;
    }
    world.store.damage(&Scope::default(), Kind::Job, "a");
    let refusal = world.jobs().get_job(GetJobRequest { job_name: text("a") }).await;
    refused(
        refusal,
        "InternalServiceException",
        "An internal service error occurred.",
    );
    let names = world
        .jobs()
        .list_jobs(ListJobsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .job_names;
    assert_eq!(names, ["a", "b"]);
    let jobs = world
        .jobs()
        .get_jobs(GetJobsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .jobs;
    assert_eq!(jobs.len(), 1);
    world
        .jobs()
        .delete_job(DeleteJobRequest { job_name: text("a") })
        .await
        .unwrap();
    assert_eq!(world.last_subject(), "deleted PLAN_KIND_JOB a");
    world.create_job("a").await;
}

#[tokio::test]
async fn a_trigger_that_cannot_be_decoded_is_no_longer_part_of_its_workflow() {
    let world = World::start();
    world.create_workflow("w").await;
    world.create_trigger(on_demand("a", Some("w"), &["j"])).await;
    world.create_trigger(conditional("b", Some("w"), "j", &["k"])).await;
    world.store.damage(&Scope::default(), Kind::Trigger, "b");
    world.create_trigger(conditional("c", Some("w"), "j", &["k"])).await;
    assert_eq!(world.last_subject(), "workflow w [a c]");
    let request = treenail_proto::glue::v1::DeleteTriggerRequest { name: text("b") };
    world.triggers().delete_trigger(request).await.unwrap();
    world.create_trigger(conditional("b", Some("w"), "j", &["k"])).await;
    assert_eq!(world.last_subject(), "workflow w [a b c]");
}
