//! The objects of an attempt: a Job that anybody who may look at Jobs may see, and a Secret with all that nobody may.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::{
        batch::v1::{Job, JobSpec},
        core::v1::{
            Capabilities, Container, EmptyDirVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec,
            SeccompProfile, Secret, SecretVolumeSource, SecurityContext, Volume, VolumeMount,
        },
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{ObjectMeta, OwnerReference},
    },
};
use prost::Message as _;
use treenail_proto::worker::v1::{JobTask, Task};

use super::{names, resources::Share, settings::Kubernetes};
use crate::{
    stage::{MODULES_LAUNCH, SCRIPT_LAUNCH, SETTINGS, Settings, TASK},
    task::modules,
};

/// The container that brings script and files.
pub(super) const STAGE: &str = "stage";
/// The container that installs modules, where a job asks for some.
pub(super) const MODULES: &str = "modules";
/// The container that runs the script.
pub(super) const SCRIPT: &str = "script";

/// Becomes what was prepared; it is the same for all jobs.
const LAUNCH: &str = include_str!("launch.py");
const ORDER_PATH: &str = "/run/treenail/order";
const ATTEMPT_PATH: &str = "/run/treenail/attempt";
const LAUNCH_PATH: &str = "/run/treenail/launch";

/// How much a job may write into its folders.
const FOLDER_BYTES_MAX: &str = "20Gi";
/// How much the description of a start may take: arguments, above all.
const LAUNCH_BYTES_MAX: &str = "8Mi";
/// How long a Job stays that has ended and that no worker deletes, in seconds.
const KEPT_SECONDS: i32 = 60 * 60;
/// How long a script may take after it was asked to end, in seconds. With none, a pod would count as gone while it runs.
const GRACE_SECONDS: i64 = 1;
/// How long a job may run beyond its timeout once it has started, in seconds: the run-scheduler stops it then, and this is for when it is not
/// there.
const BEYOND_TIMEOUT_SECONDS: i64 = 15 * 60;
/// How long a job without a timeout may run, in seconds: as long as its credentials count.
const WITHOUT_TIMEOUT_SECONDS: i64 = 8 * 24 * 60 * 60;

/// The Job of an attempt. It holds neither arguments nor credentials.
pub(super) fn job(task: &Task, job: &JobTask, image: &str, worker_id: &str, kubernetes: &Kubernetes) -> Job {
    let labels = names::labels(worker_id, task);
    let name = names::attempt(worker_id, &task.task_id, task.token);
    let deadline = match i64::from(job.timeout_minutes) {
        0 => WITHOUT_TIMEOUT_SECONDS,
        minutes => minutes * 60 + BEYOND_TIMEOUT_SECONDS,
    };
    let until_started = i64::try_from(kubernetes.start_timeout.as_secs()).unwrap_or(i64::MAX);
    Job {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            labels: Some(labels.clone()),
            annotations: Some([(names::JOB_RUN.to_owned(), job.job_run_id.clone())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            active_deadline_seconds: Some(deadline.saturating_add(until_started)),
            // Whether there is another attempt is the run-scheduler's to say.
            backoff_limit: Some(0),
            completions: Some(1),
            parallelism: Some(1),
            pod_replacement_policy: Some("Failed".to_owned()),
            ttl_seconds_after_finished: Some(KEPT_SECONDS),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(job, image, &name, kubernetes)),
            },
            ..JobSpec::default()
        }),
        ..Job::default()
    }
}

/// The Secret of an attempt, which goes with its Job.
pub(super) fn secret(task: &Task, settings: &Settings, owner: &Job) -> Secret {
    let settings = serde_json::to_vec(settings).expect("texts, and maps of texts, are JSON");
    let owned_by = OwnerReference {
        api_version: "batch/v1".to_owned(),
        kind: "Job".to_owned(),
        name: owner.metadata.name.clone().unwrap_or_default(),
        uid: owner.metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    };
    Secret {
        metadata: ObjectMeta {
            name: owner.metadata.name.clone(),
            labels: owner.metadata.labels.clone(),
            owner_references: Some(vec![owned_by]),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([
            (TASK.to_owned(), ByteString(task.encode_to_vec())),
            (SETTINGS.to_owned(), ByteString(settings)),
        ])),
        immutable: Some(true),
        type_: Some("treenail/attempt".to_owned()),
        ..Secret::default()
    }
}

/// The task that a Secret holds; `None` where it holds none.
pub(super) fn task_of(secret: &Secret) -> Option<Task> {
    let bytes = secret.data.as_ref()?.get(TASK)?;
    Task::decode(bytes.0.as_slice()).ok()
}

fn pod(job: &JobTask, image: &str, secret: &str, kubernetes: &Kubernetes) -> PodSpec {
    let share = Share::of(job, kubernetes.resource_factor);
    let mut before = vec![stage(share, kubernetes)];
    if modules::are_asked_for(job) {
        before.push(launched(MODULES, MODULES_LAUNCH, image, share, kubernetes));
    }
    PodSpec {
        init_containers: Some(before),
        containers: vec![launched(SCRIPT, SCRIPT_LAUNCH, image, share, kubernetes)],
        restart_policy: Some("Never".to_owned()),
        service_account_name: Some("job".to_owned()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        // A script is not process 1, which would not hear signals and would have to look after orphans.
        share_process_namespace: Some(true),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(kubernetes.run_as),
            run_as_group: Some(kubernetes.run_as),
            fs_group: Some(kubernetes.run_as),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        volumes: Some(volumes(secret)),
        ..PodSpec::default()
    }
}

fn volumes(secret: &str) -> Vec<Volume> {
    let empty = |name: &str, medium: Option<&str>, size: &str| Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            medium: medium.map(str::to_owned),
            size_limit: Some(Quantity(size.to_owned())),
        }),
        ..Volume::default()
    };
    vec![
        Volume {
            name: "order".to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(secret.to_owned()),
                default_mode: Some(0o440),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        },
        empty("attempt", None, FOLDER_BYTES_MAX),
        // It holds credentials, which are not for a disk.
        empty("launch", Some("Memory"), LAUNCH_BYTES_MAX),
        empty("tmp", None, FOLDER_BYTES_MAX),
    ]
}

fn stage(share: Share, kubernetes: &Kubernetes) -> Container {
    let line = [
        "treenail",
        "stage",
        "--order",
        ORDER_PATH,
        "--attempt",
        ATTEMPT_PATH,
        "--launch",
        LAUNCH_PATH,
    ];
    Container {
        name: STAGE.to_owned(),
        image: Some(kubernetes.stage_image.clone()),
        command: Some(line.map(str::to_owned).into()),
        resources: Some(share.requirements()),
        security_context: Some(restricted()),
        volume_mounts: Some(vec![
            mount("order", ORDER_PATH, true),
            mount("attempt", ATTEMPT_PATH, false),
            mount("launch", LAUNCH_PATH, false),
        ]),
        ..Container::default()
    }
}

fn launched(name: &str, launch: &str, image: &str, share: Share, kubernetes: &Kubernetes) -> Container {
    let line = [&kubernetes.python, "-c", LAUNCH, &format!("{LAUNCH_PATH}/{launch}")];
    Container {
        name: name.to_owned(),
        image: Some(image.to_owned()),
        command: Some(line.map(str::to_owned).into()),
        resources: Some(share.requirements()),
        security_context: Some(restricted()),
        volume_mounts: Some(vec![
            mount("attempt", ATTEMPT_PATH, false),
            mount("launch", LAUNCH_PATH, true),
            mount("tmp", "/tmp", false),
        ]),
        ..Container::default()
    }
}

fn restricted() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            ..Capabilities::default()
        }),
        ..SecurityContext::default()
    }
}

fn mount(name: &str, path: &str, is_read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: is_read_only.then_some(true),
        ..VolumeMount::default()
    }
}
