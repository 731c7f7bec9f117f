//! The rules and defaults of jobs (spec §8), with AWS's texts.

use treenail_control_plane::{Config, config::Quotas, store::memory::MemoryStore};
use treenail_proto::glue::v1::{CreateJobRequest, ExecutionClass, ExecutionProperty, JobCommand, WorkerType};

use crate::{
    jobs::get,
    scheduler::FakeScheduler,
    words::{job, job_update, map, refused, text, workers},
    world::World,
};

const II: &str = "InvalidInputException";

#[tokio::test]
async fn defaults_differ_by_command_version_and_workers() {
    let glue = |version: &str, command: &str| CreateJobRequest {
        glue_version: text(version),
        ..job("j", command)
    };
    let capacity = |units: f64, command: &str| CreateJobRequest {
        max_capacity: Some(units),
        ..job("j", command)
    };
    let old = CreateJobRequest {
        allocated_capacity: Some(5),
        ..job("j", "glueetl")
    };
    let slow = CreateJobRequest {
        timeout: Some(10_080),
        ..job("j", "glueetl")
    };
    // Request; timeout, allocated capacity and capacity as they are read back.
    let rows = [
        (job("j", "glueetl"), Some(480), Some(10), Some(10.0)),
        (glue("4.0", "glueetl"), Some(2_880), Some(10), Some(10.0)),
        (glue("5.0", "glueetl"), Some(480), Some(10), Some(10.0)),
        (job("j", "pythonshell"), Some(2_880), Some(0), Some(0.0625)),
        (glue("1.0", "pythonshell"), Some(2_880), Some(0), Some(0.0625)),
        (capacity(1.0, "pythonshell"), Some(2_880), Some(1), Some(1.0)),
        (capacity(0.0, "pythonshell"), Some(2_880), Some(0), Some(0.0625)),
        (job("j", "gluestreaming"), None, Some(10), Some(10.0)),
        (workers("glueray", WorkerType::Z2x, Some(2)), None, Some(4), Some(4.0)),
        (job("j", "unheard-of"), Some(2_880), None, None),
        (capacity(3.0, "glueetl"), Some(480), Some(3), Some(3.0)),
        (old, Some(480), Some(5), Some(5.0)),
        (slow, Some(10_080), Some(10), Some(10.0)),
        (
            workers("glueetl", WorkerType::G1x, Some(2)),
            Some(480),
            Some(2),
            Some(2.0),
        ),
        (
            workers("glueetl", WorkerType::G025x, Some(2)),
            Some(480),
            Some(0),
            Some(0.5),
        ),
        (
            workers("glueetl", WorkerType::G2x, Some(5)),
            Some(480),
            Some(10),
            Some(10.0),
        ),
        (
            workers("glueetl", WorkerType::G8x, Some(3)),
            Some(480),
            Some(24),
            Some(24.0),
        ),
    ];
    for (request, timeout, allocated, capacity) in rows {
        let world = World::start();
        world.jobs().create_job(request.clone()).await.unwrap();
        let found = get(&world, "j").await;
        assert_eq!(
            (found.timeout, found.allocated_capacity, found.max_capacity),
            (timeout, allocated, capacity),
            "{request:?}"
        );
    }
}

#[tokio::test]
async fn a_broken_rule_is_refused_in_awss_words_on_create_and_on_update() {
    let world = World::start();
    for (request, message) in broken() {
        refused(world.jobs().create_job(request).await, II, message);
    }
    world.create_job("j").await;
    let before = get(&world, "j").await;
    for (request, message) in broken() {
        refused(world.jobs().update_job(job_update(request)).await, II, message);
    }
    assert_eq!(get(&world, "j").await, before);
}

#[tokio::test]
async fn an_enum_of_zero_is_not_set() {
    let world = World::start();
    let request = CreateJobRequest {
        worker_type: Some(0),
        execution_class: Some(0),
        job_mode: Some(0),
        ..job("j", "glueetl")
    };
    world.jobs().create_job(request).await.unwrap();
    // The same as if none of them had been sent.
    world.create_job("j").await;
    let found = get(&world, "j").await;
    assert_eq!((found.worker_type, found.execution_class), (None, None));
}

#[tokio::test]
async fn a_job_that_can_never_run_can_be_made() {
    let world = World::start();
    // Nothing says where the script is, and nobody knows the command (spec §8.1).
    for (name, command) in [
        ("a", JobCommand::default()),
        (
            "b",
            JobCommand {
                name: text("x"),
                ..JobCommand::default()
            },
        ),
    ] {
        let request = CreateJobRequest {
            command: Some(command),
            ..job(name, "")
        };
        world.jobs().create_job(request).await.unwrap();
    }
}

#[tokio::test]
async fn quotas_that_are_set_are_kept() {
    let quotas = Quotas {
        jobs: Some(1),
        ..Quotas::default()
    };
    let config = Config {
        quotas,
        ..Config::default()
    };
    let world = World::start_with(config, MemoryStore::default(), FakeScheduler::default());
    world.create_job("a").await;
    // What is there already is no more.
    world.create_job("a").await;
    let message = "The number of jobs has exceeded the limit. Your account is limited to 1 jobs.";
    refused(
        world.jobs().create_job(job("b", "glueetl")).await,
        "ResourceNumberLimitExceededException",
        message,
    );
}

#[tokio::test]
async fn a_definition_that_is_too_large_to_publish_is_refused() {
    let world = World::start();
    let request = CreateJobRequest {
        default_arguments: map(&[("--a", "x".repeat(2 << 20).as_str())]),
        ..job("j", "glueetl")
    };
    let message = "The definition of job j is larger than 1048576 bytes.";
    refused(
        world.jobs().create_job(request).await,
        "ResourceNumberLimitExceededException",
        message,
    );
}

/// Everything that breaks a rule, with the text that AWS has for it.
fn broken() -> Vec<(CreateJobRequest, &'static str)> {
    broken_workers()
        .into_iter()
        .chain(broken_capacities())
        .chain(broken_times())
        .chain(broken_settings())
        .collect()
}

fn broken_workers() -> Vec<(CreateJobRequest, &'static str)> {
    let both = "Please set both Worker Type and Number of Workers.";
    let with_capacity = CreateJobRequest {
        max_capacity: Some(2.0),
        ..workers("glueetl", WorkerType::G1x, Some(2))
    };
    let ray = "Worker type cannot be null and only [Z.2X] worker types are supported for glueray jobs";
    vec![
        (workers("glueetl", WorkerType::G1x, None), both),
        (
            CreateJobRequest {
                number_of_workers: Some(2),
                ..job("j", "glueetl")
            },
            both,
        ),
        (
            with_capacity,
            "Please do not set Max Capacity if using Worker Type and Number of Workers.",
        ),
        (
            workers("glueetl", WorkerType::G1x, Some(1)),
            "To use Worker Type G.1X, minimum allowed value of Number of Workers is 2.",
        ),
        (
            workers("pythonshell", WorkerType::G1x, Some(2)),
            "Worker Type is not supported for Job Command pythonshell",
        ),
        (job("j", "glueray"), ray),
        (workers("glueray", WorkerType::G1x, Some(2)), ray),
    ]
}

fn broken_capacities() -> Vec<(CreateJobRequest, &'static str)> {
    let units = |units: f64, command: &str| CreateJobRequest {
        max_capacity: Some(units),
        ..job("j", command)
    };
    let range = "Max Capacity should be between 0.0 and 1.0 if present for pythonshell.";
    vec![
        (units(2.0, "pythonshell"), range),
        (units(-1.0, "pythonshell"), range),
        (
            units(0.5, "pythonshell"),
            "Max Capacity values with precision supported for pythonshell are [0.0625].",
        ),
        (
            units(2.5, "glueetl"),
            "Max Capacity with precision currently not supported for glueetl.",
        ),
    ]
}

fn broken_times() -> Vec<(CreateJobRequest, &'static str)> {
    let timeout = |minutes: i32, request| CreateJobRequest {
        timeout: Some(minutes),
        ..request
    };
    let too_long = "Timeout should be less than or equal to 10080 minutes.";
    let too_long_for_streaming = "Timeout should be less than or equal to 10080 minutes, \
                                  leave the timeout value as null to run it longer than 10080 minutes";
    let window = CreateJobRequest {
        maintenance_window: text("Sun:14"),
        ..job("j", "glueetl")
    };
    let ray = workers("glueray", WorkerType::Z2x, Some(2));
    vec![
        (timeout(10_081, job("j", "glueetl")), too_long),
        (timeout(10_081, job("j", "pythonshell")), too_long),
        (timeout(10_081, job("j", "gluestreaming")), too_long_for_streaming),
        (timeout(5, ray), "Timeout not supported for Ray jobs"),
        (
            window,
            "Maintenance window should be provided only for glue streaming jobs",
        ),
    ]
}

fn broken_settings() -> Vec<(CreateJobRequest, &'static str)> {
    let glue = |version: &str| CreateJobRequest {
        glue_version: text(version),
        ..job("j", "glueetl")
    };
    let gone = "The Glue version selected for the job is no longer available. Select a newer Glue version.";
    let flex = |command: &str| {
        let class = Some(ExecutionClass::Flex.into());
        CreateJobRequest {
            execution_class: class,
            ..job("j", command)
        }
    };
    let runs = Some(ExecutionProperty {
        max_concurrent_runs: Some(0),
    });
    let no_runs = CreateJobRequest {
        execution_property: runs,
        ..job("j", "glueetl")
    };
    let negative = CreateJobRequest {
        max_retries: Some(-1),
        ..job("j", "glueetl")
    };
    vec![
        (glue("0.9"), gone),
        (glue("1.0"), gone),
        (glue("2.0"), gone),
        (flex("pythonshell"), "Flex job is supported for ETL jobs only"),
        (flex("gluestreaming"), "Flex job is supported for ETL jobs only"),
        (
            no_runs,
            "MaxConcurrentRuns should be greater than or equal to 1 if present.",
        ),
        (negative, "MaxRetries should be greater than or equal to 0 if present."),
        (
            CreateJobRequest {
                role: text(""),
                ..job("j", "glueetl")
            },
            "Role cannot be null or empty",
        ),
    ]
}
