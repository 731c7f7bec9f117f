//! Jobs: how they are made, read, replaced and deleted (spec §8).

use treenail_proto::glue::v1::{
    BatchGetJobsRequest, CreateJobRequest, DeleteJobRequest, ExecutionProperty, GetJobRequest, Job, JobCommand,
    JobMode, WorkerType,
};

use crate::{
    words::{invoked, job, job_update, map, refused, text, workers},
    world::{START_MS, World},
};

pub(crate) async fn get(world: &World, name: &str) -> Job {
    let response = world.jobs().get_job(GetJobRequest { job_name: text(name) }).await;
    response
        .expect("the job exists")
        .into_inner()
        .job
        .expect("an answer holds the job")
}

#[tokio::test]
async fn a_job_reads_back_with_awss_defaults_and_nothing_else() {
    let world = World::start();
    world.create_job("j").await;
    let now = Some(prost_types::Timestamp {
        seconds: START_MS / 1_000,
        nanos: 123_000_000,
    });
    let expected = Job {
        name: text("j"),
        job_mode: Some(JobMode::Script.into()),
        role: text("role"),
        created_on: now,
        last_modified_on: now,
        execution_property: Some(ExecutionProperty {
            max_concurrent_runs: Some(1),
        }),
        command: Some(JobCommand {
            name: text("glueetl"),
            ..JobCommand::default()
        }),
        max_retries: Some(0),
        allocated_capacity: Some(10),
        max_capacity: Some(10.0),
        timeout: Some(480),
        glue_version: text("5.1"),
        ..Job::default()
    };
    assert_eq!(get(&world, "j").await, expected);
    assert_eq!(world.last_subject(), "job j");
}

#[tokio::test]
async fn the_same_job_again_is_no_error_and_another_is() {
    let world = World::start();
    let request = CreateJobRequest {
        tags: map(&[("k", "v")]),
        ..job("j", "glueetl")
    };
    for _ in 0..2 {
        world.jobs().create_job(request.clone()).await.unwrap();
    }
    let spelled_out = CreateJobRequest {
        timeout: Some(480),
        max_retries: Some(0),
        ..request.clone()
    };
    world.jobs().create_job(spelled_out).await.unwrap();
    let message = "Job with name 'j' already submitted with different configuration";
    let others = [
        CreateJobRequest {
            description: text("new"),
            ..request.clone()
        },
        CreateJobRequest {
            tags: map(&[]),
            ..request.clone()
        },
        job("j", "pythonshell"),
    ];
    for other in others {
        refused(
            world.jobs().create_job(other).await,
            "IdempotentParameterMismatchException",
            message,
        );
    }
    assert_eq!(world.scheduler.state().plans.len(), 1);
}

#[tokio::test]
async fn a_creation_that_the_client_sends_again_is_one_creation() {
    let world = World::start();
    world
        .jobs()
        .create_job(invoked("call-1", job("j", "glueetl")))
        .await
        .unwrap();
    world
        .jobs()
        .create_job(invoked("call-1", job("j", "glueetl")))
        .await
        .unwrap();
    assert_eq!(world.scheduler.state().plans.len(), 1);
}

#[tokio::test]
async fn an_update_clears_all_that_it_does_not_name_but_the_glue_version() {
    let world = World::start();
    let request = CreateJobRequest {
        description: text("old"),
        default_arguments: map(&[("--a", "1")]),
        glue_version: text("4.0"),
        max_retries: Some(3),
        timeout: Some(7),
        execution_property: Some(ExecutionProperty {
            max_concurrent_runs: Some(9),
        }),
        ..workers("glueetl", WorkerType::G1x, Some(4))
    };
    world.jobs().create_job(request).await.unwrap();
    world
        .clock
        .set(treenail_schedule::Timestamp::from_millis(START_MS + 5_000));
    world.jobs().update_job(job_update(job("j", "glueetl"))).await.unwrap();
    let found = get(&world, "j").await;
    let created_on = Some(prost_types::Timestamp {
        seconds: START_MS / 1_000,
        nanos: 123_000_000,
    });
    let expected = Job {
        name: text("j"),
        job_mode: Some(JobMode::Script.into()),
        role: text("role"),
        created_on,
        last_modified_on: created_on.map(|created| prost_types::Timestamp {
            seconds: created.seconds + 5,
            ..created
        }),
        execution_property: Some(ExecutionProperty {
            max_concurrent_runs: Some(1),
        }),
        command: Some(JobCommand {
            name: text("glueetl"),
            ..JobCommand::default()
        }),
        max_retries: Some(0),
        allocated_capacity: Some(10),
        max_capacity: Some(10.0),
        timeout: Some(2_880),
        glue_version: text("4.0"),
        ..Job::default()
    };
    assert_eq!(found, expected);
    assert_eq!(world.last_subject(), "job j");
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_but_deleted_already() {
    let world = World::start();
    let message = "Job j not found.";
    let missing = world.jobs().get_job(GetJobRequest { job_name: text("j") }).await;
    refused(missing, "EntityNotFoundException", message);
    refused(
        world.jobs().update_job(job_update(job("j", "glueetl"))).await,
        "EntityNotFoundException",
        message,
    );
    let deleted = world
        .jobs()
        .delete_job(DeleteJobRequest { job_name: text("j") })
        .await
        .unwrap();
    assert_eq!(deleted.into_inner().job_name, text("j"));
    assert_eq!(world.scheduler.state().plans, []);
    world.create_job("j").await;
    world
        .jobs()
        .delete_job(DeleteJobRequest { job_name: text("j") })
        .await
        .unwrap();
    assert_eq!(world.last_subject(), "deleted PLAN_KIND_JOB j");
}

#[tokio::test]
async fn several_jobs_come_in_the_order_of_their_names_in_the_request() {
    let world = World::start();
    for name in ["a", "b"] {
        world.create_job(name).await;
    }
    let request = BatchGetJobsRequest {
        job_names: ["b", "x", "a", "b"].map(str::to_owned).to_vec(),
    };
    let response = world.jobs().batch_get_jobs(request).await.unwrap().into_inner();
    let found: Vec<_> = response.jobs.iter().map(|job| job.name.as_deref().unwrap()).collect();
    assert_eq!(found, ["b", "a"]);
    assert_eq!(response.jobs_not_found, ["x"]);
}
