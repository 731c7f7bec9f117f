//! How far an attempt is, by what the cluster says of its Job and its pod.

use k8s_openapi::{
    api::{
        batch::v1::Job,
        core::v1::{ContainerState, ContainerStatus, Pod},
    },
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::manifest::{MODULES, SCRIPT, STAGE};

/// What is known of a Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JobSeen {
    /// How it ended, if it has.
    pub(super) end: Option<JobEnd>,
    /// Whether somebody asked for it to be deleted.
    pub(super) is_deleted: bool,
}

/// How a Job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JobEnd {
    /// Its pod succeeded.
    Complete,
    /// It did not, and why.
    Failed(String),
}

/// What is known of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodSeen {
    pub(super) name: String,
    pub(super) created: Option<Time>,
    /// Why the cluster ended the pod as a whole, such as an eviction.
    ended_by_cluster: Option<String>,
    /// A container that prepares the script and could not, with the words of the cluster where it has some.
    preparation_failed: Option<(&'static str, Option<String>)>,
    script: Script,
    /// Why nothing happens yet.
    waits_for: Option<String>,
}

/// What is known of the script's container.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Script {
    Waiting,
    Running,
    Ended(Exit),
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    pub(super) code: i32,
    pub(super) is_out_of_memory: bool,
}

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The script does not run yet, and why as far as that is known.
    Waiting(Option<String>),
    /// What comes before the script failed, in a container.
    NotPrepared {
        pod: String,
        container: &'static str,
        cause: Option<String>,
    },
    /// The script runs.
    Running { pod: String },
    /// The script ended.
    Ended { pod: String, exit: Exit },
    /// The cluster ended it.
    Lost(String),
    /// The Job ended and nothing is known of its pod: it was taken away, or news of it is on the way.
    Vanished(JobEnd),
}

/// How far an attempt is.
pub(super) fn of(job: Option<&JobSeen>, pod: Option<&PodSeen>) -> Progress {
    let Some(job) = job else {
        return Progress::Vanished(JobEnd::Failed("its Kubernetes Job was deleted".to_owned()));
    };
    let Some(pod) = pod else {
        return match &job.end {
            Some(end) => Progress::Vanished(end.clone()),
            None => Progress::Waiting(Some("there is no pod yet".to_owned())),
        };
    };
    if let Some(why) = &pod.ended_by_cluster {
        return Progress::Lost(why.clone());
    }
    if let Some((container, cause)) = &pod.preparation_failed {
        return Progress::NotPrepared {
            pod: pod.name.clone(),
            container,
            cause: cause.clone(),
        };
    }
    match &pod.script {
        Script::Ended(exit) => Progress::Ended {
            pod: pod.name.clone(),
            exit: exit.clone(),
        },
        Script::Running => Progress::Running { pod: pod.name.clone() },
        Script::Waiting => Progress::Waiting(pod.waits_for.clone()),
    }
}

impl JobSeen {
    pub(super) fn of(job: &Job) -> JobSeen {
        let conditions = job.status.as_ref().and_then(|status| status.conditions.as_deref());
        let end = conditions.unwrap_or_default().iter().find_map(|condition| {
            let why = || joined(condition.reason.as_deref(), condition.message.as_deref());
            match condition.type_.as_str() {
                _ if condition.status != "True" => None,
                "Complete" => Some(JobEnd::Complete),
                "Failed" => Some(JobEnd::Failed(
                    why().unwrap_or_else(|| "its Kubernetes Job failed".to_owned()),
                )),
                _ => None,
            }
        });
        JobSeen {
            end,
            is_deleted: job.metadata.deletion_timestamp.is_some(),
        }
    }
}

impl PodSeen {
    pub(super) fn of(pod: &Pod) -> PodSeen {
        let status = pod.status.clone().unwrap_or_default();
        let before = status.init_container_statuses.unwrap_or_default();
        let containers = status.container_statuses.unwrap_or_default();
        let state_of = |name: &str| {
            let mut all = before.iter().chain(&containers);
            all.find(|status| status.name == name)
                .and_then(|status| status.state.clone())
                .unwrap_or_default()
        };
        let preparation_failed = [STAGE, MODULES].into_iter().find_map(|name| {
            let ended = state_of(name).terminated.filter(|ended| ended.exit_code != 0)?;
            let by_itself = ended.reason.as_deref() == Some("Error");
            let cause = (!by_itself).then(|| joined(ended.reason.as_deref(), ended.message.as_deref()));
            Some((name, cause.flatten()))
        });
        let unscheduled = status.conditions.unwrap_or_default().into_iter().find(|condition| {
            condition.type_ == "PodScheduled" && condition.status == "False" && condition.message.is_some()
        });
        let waits_for = before
            .iter()
            .chain(&containers)
            .find_map(waiting)
            .or_else(|| unscheduled.and_then(|why| joined(why.reason.as_deref(), why.message.as_deref())));
        let script = Script::of(state_of(SCRIPT));
        let is_over = status.phase.as_deref() == Some("Failed") || matches!(script, Script::Ended(_));
        PodSeen {
            name: pod.metadata.name.clone().unwrap_or_default(),
            created: pod.metadata.creation_timestamp.clone(),
            // A pod has a reason when it is not its containers'.
            ended_by_cluster: status
                .reason
                .filter(|_| is_over)
                .and_then(|reason| joined(Some(&reason), status.message.as_deref())),
            preparation_failed,
            script,
            waits_for,
        }
    }
}

impl Script {
    fn of(state: ContainerState) -> Script {
        match (state.running, state.terminated) {
            (_, Some(ended)) => Script::Ended(Exit {
                code: ended.exit_code,
                is_out_of_memory: ended.reason.as_deref() == Some("OOMKilled"),
            }),
            (Some(_), None) => Script::Running,
            (None, None) => Script::Waiting,
        }
    }
}

/// Why a container does not start; what every container waits for first says nothing.
fn waiting(status: &ContainerStatus) -> Option<String> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    let says_nothing = matches!(reason, "PodInitializing" | "ContainerCreating");
    (!says_nothing).then(|| joined(Some(reason), waiting.message.as_deref()))?
}

fn joined(reason: Option<&str>, message: Option<&str>) -> Option<String> {
    let parts = [reason, message].into_iter().flatten().filter(|part| !part.is_empty());
    let parts: Vec<&str> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
    use serde_json::{Value, json};

    use super::{Exit, JobEnd, JobSeen, PodSeen, Progress, of};

    fn pod(status: &Value) -> PodSeen {
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap();
        PodSeen::of(&pod)
    }

    fn job(conditions: &Value) -> JobSeen {
        let job: Job = serde_json::from_value(json!({"status": {"conditions": conditions}})).unwrap();
        JobSeen::of(&job)
    }

    /// A pod's status with the state of one container.
    fn with(name: &str, kind: &str, state: &Value) -> Value {
        let list = if name == "script" {
            "containerStatuses"
        } else {
            "initContainerStatuses"
        };
        json!({list: [{
            "name": name, "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": {kind: state},
        }]})
    }

    fn check(status: &Value, expected: &Progress) {
        assert_eq!(of(Some(&job(&json!([]))), Some(&pod(status))), *expected, "{status}");
    }

    #[test]
    fn an_attempt_waits_until_its_script_runs() {
        let waits = |why: Option<&str>| Progress::Waiting(why.map(str::to_owned));
        let unscheduled = json!({"conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"
        }]});
        let back_off = json!({"reason": "ImagePullBackOff", "message": "Back-off"});
        check(&json!({}), &waits(None));
        check(&unscheduled, &waits(Some("Unschedulable: 0/3 nodes")));
        check(
            &with("stage", "waiting", &back_off),
            &waits(Some("ImagePullBackOff: Back-off")),
        );
        check(
            &with("script", "waiting", &json!({"reason": "PodInitializing"})),
            &waits(None),
        );
        let running = Progress::Running { pod: "p".to_owned() };
        check(&with("script", "running", &json!({})), &running);
    }

    #[test]
    fn an_attempt_that_cannot_be_prepared_tells_where() {
        let rows = [
            ("stage", json!({"exitCode": 1, "reason": "Error"}), None),
            (
                "modules",
                json!({"exitCode": 137, "reason": "OOMKilled"}),
                Some("OOMKilled"),
            ),
        ];
        for (container, state, cause) in rows {
            let expected = Progress::NotPrepared {
                pod: "p".to_owned(),
                container,
                cause: cause.map(str::to_owned),
            };
            check(&with(container, "terminated", &state), &expected);
        }
    }

    #[test]
    fn a_script_ends_by_itself_or_by_the_cluster() {
        for (code, reason, is_out_of_memory) in [(0, "Completed", false), (3, "Error", false), (137, "OOMKilled", true)]
        {
            let expected = Progress::Ended {
                pod: "p".to_owned(),
                exit: Exit { code, is_out_of_memory },
            };
            check(
                &with("script", "terminated", &json!({"exitCode": code, "reason": reason})),
                &expected,
            );
        }
        let mut evicted = with("script", "terminated", &json!({"exitCode": 137}));
        evicted["phase"] = json!("Failed");
        evicted["reason"] = json!("Evicted");
        evicted["message"] = json!("low on memory");
        check(&evicted, &Progress::Lost("Evicted: low on memory".to_owned()));
    }

    #[test]
    fn a_job_without_a_pod_tells_how_it_ended() {
        let failed = json!([
            {"type": "FailureTarget", "status": "True"},
            {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}
        ]);
        let rows = [
            (
                Some(job(&json!([]))),
                Progress::Waiting(Some("there is no pod yet".to_owned())),
            ),
            (
                Some(job(&failed)),
                Progress::Vanished(JobEnd::Failed("DeadlineExceeded: too long".to_owned())),
            ),
            (
                Some(job(&json!([{"type": "Complete", "status": "True"}]))),
                Progress::Vanished(JobEnd::Complete),
            ),
            (
                None,
                Progress::Vanished(JobEnd::Failed("its Kubernetes Job was deleted".to_owned())),
            ),
        ];
        for (seen, expected) in rows {
            assert_eq!(of(seen.as_ref(), None), expected, "{seen:?}");
        }
    }
}
