//! Job runs and crawls: as they are stored, as the API shows them.

use std::sync::Arc;

use treenail_engine::{
    Timestamp,
    glue::{Crawl, Ending, JobPlan, JobRun, JobRunSpec, Origin, Settings},
    ids::{ChainId, JobRunId, WorkflowRunId},
    task::WorkerId,
};
use treenail_proto::{glue::v1 as glue, internal::v1 as internal};

use super::{Malformed, from_proto_time, non_empty, plan, to_proto_time, to_u32};

/// The log group of Spark jobs (`Glue API: JobRun.LogGroupName`).
const SPARK_LOG_GROUP: &str = "/aws-glue/jobs";
/// The log group of Python shell jobs.
const PYTHON_LOG_GROUP: &str = "/aws-glue/python-jobs";

/// A job run as it is stored.
pub(crate) fn to_stored(run: &JobRun) -> internal::StoredJobRun {
    internal::StoredJobRun {
        job_run: Some(to_api(run)),
        plan_sequence: run.spec.plan.as_ref().map(|plan| plan.sequence),
        node: match run.spec.origin {
            Origin::Workflow { node, .. } => to_u32(node),
            Origin::Call | Origin::Chain(_) => 0,
        },
        running_since_ms: run.running_since.map(Timestamp::as_millis),
        token: run.token,
        lease: run
            .lease
            .as_ref()
            .map(|worker| worker.as_str().to_owned())
            .unwrap_or_default(),
        ending: match run.ending {
            None => internal::StoredEnding::Unspecified,
            Some(Ending::Stop) => internal::StoredEnding::Stop,
            Some(Ending::Timeout) => internal::StoredEnding::Timeout,
        }
        .into(),
        retry_at_ms: run.retry_at.map(Timestamp::as_millis),
        delayed: run.delayed,
    }
}

fn to_api(run: &JobRun) -> glue::JobRun {
    let spec = &run.spec;
    let settings = &spec.settings;
    let completed = run.completed_at.map(|at| run.execution_seconds(at)).unwrap_or_default();
    glue::JobRun {
        id: Some(run.id.to_string()),
        attempt: Some(to_i32(run.id.attempt())),
        previous_run_id: run.previous.map(|id| id.to_string()),
        trigger_name: spec.trigger_name.clone(),
        job_name: Some(spec.job_name.clone()),
        job_mode: settings
            .job_mode
            .as_deref()
            .and_then(glue::JobMode::from_str_name)
            .map(Into::into),
        // AWS says it of every run.
        job_run_queuing_enabled: Some(settings.queuing.unwrap_or(false)),
        started_on: Some(to_proto_time(run.started_at)),
        last_modified_on: Some(to_proto_time(run.modified_at)),
        completed_on: run.completed_at.map(to_proto_time),
        job_run_state: Some(plan::to_job_run_state(run.state).into()),
        arguments: spec.arguments.clone().unwrap_or_default(),
        error_message: run.error.clone(),
        predecessor_runs: spec
            .predecessors
            .iter()
            .map(|(job, id)| glue::Predecessor {
                job_name: Some(job.clone()),
                run_id: Some(id.to_string()),
            })
            .collect(),
        allocated_capacity: settings.allocated_capacity,
        execution_time: Some(i32::try_from(completed).unwrap_or(i32::MAX)),
        timeout: settings.timeout_minutes.map(to_i32),
        max_capacity: settings.max_capacity,
        worker_type: settings
            .worker_type
            .as_deref()
            .and_then(glue::WorkerType::from_str_name)
            .map(Into::into),
        number_of_workers: settings.number_of_workers,
        security_configuration: settings.security_configuration.clone(),
        log_group_name: spec.plan.as_ref().map(|plan| log_group(plan, settings)),
        notification_property: settings.notify_delay_minutes.map(|minutes| glue::NotificationProperty {
            notify_delay_after: Some(to_i32(minutes)),
        }),
        glue_version: settings.glue_version.clone(),
        dpu_seconds: None,
        execution_class: settings
            .execution_class
            .as_deref()
            .and_then(glue::ExecutionClass::from_str_name)
            .map(Into::into),
        maintenance_window: settings.maintenance_window.clone(),
        profile_name: None,
        state_detail: run.state_detail.clone(),
        execution_role_session_policy: settings.execution_role_session_policy.clone(),
    }
}

/// A job run as the API shows it at a time: one that still runs has lasted until now.
pub(crate) fn shown(stored: internal::StoredJobRun, now: Timestamp) -> glue::JobRun {
    let mut shown = stored.job_run.unwrap_or_default();
    if let (Some(since), None) = (stored.running_since_ms, &shown.completed_on) {
        let seconds = now.as_millis().saturating_sub(since).max(0) / 1000;
        shown.execution_time = Some(i32::try_from(seconds).unwrap_or(i32::MAX));
    }
    shown
}

/// What stands beside a stored job run, in columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origins<'a> {
    pub(crate) run_id: Option<&'a str>,
    pub(crate) chain_id: Option<&'a str>,
}

/// A job run as it was stored.
pub(crate) fn from_stored(
    stored: internal::StoredJobRun,
    origins: Origins<'_>,
    plan: Option<Arc<JobPlan>>,
) -> Result<JobRun, Malformed> {
    let ending = match stored.ending() {
        internal::StoredEnding::Unspecified => None,
        internal::StoredEnding::Stop => Some(Ending::Stop),
        internal::StoredEnding::Timeout => Some(Ending::Timeout),
    };
    let shown = stored.job_run.ok_or(Malformed("stored job run"))?;
    let origin = match (origins.run_id, origins.chain_id) {
        (Some(run), _) => Origin::Workflow {
            run: run.parse::<WorkflowRunId>().map_err(|_| Malformed("workflow run id"))?,
            node: stored.node as usize,
        },
        (None, Some(chain)) => Origin::Chain(chain.parse::<ChainId>().map_err(|_| Malformed("chain id"))?),
        (None, None) => Origin::Call,
    };
    let predecessors = shown
        .predecessor_runs
        .iter()
        .map(|predecessor| Ok((predecessor.job_name().to_owned(), job_run_id(predecessor.run_id())?)))
        .collect::<Result<_, Malformed>>()?;
    let time = |time: &Option<prost_types::Timestamp>| time.as_ref().map(from_proto_time);
    Ok(JobRun {
        id: job_run_id(shown.id())?,
        previous: shown.previous_run_id.as_deref().map(job_run_id).transpose()?,
        state: plan::job_run_state(shown.job_run_state())?,
        state_detail: shown.state_detail.clone(),
        error: shown.error_message.clone(),
        started_at: time(&shown.started_on).ok_or(Malformed("started on"))?,
        modified_at: time(&shown.last_modified_on).ok_or(Malformed("last modified on"))?,
        completed_at: time(&shown.completed_on),
        running_since: stored.running_since_ms.map(Timestamp::from_millis),
        token: stored.token,
        lease: non_empty(&stored.lease).map(|worker| WorkerId::new(&worker)),
        ending,
        retry_at: stored.retry_at_ms.map(Timestamp::from_millis),
        delayed: stored.delayed,
        spec: Arc::new(JobRunSpec {
            job_name: shown.job_name().to_owned(),
            plan,
            origin,
            trigger_name: shown.trigger_name.clone(),
            arguments: plan::non_empty_map(&shown.arguments),
            settings: settings_of(&shown),
            predecessors,
        }),
    })
}

fn settings_of(shown: &glue::JobRun) -> Settings {
    Settings {
        timeout_minutes: shown.timeout.and_then(plan::positive),
        notify_delay_minutes: plan::notify_delay(shown.notification_property.as_ref()),
        queuing: shown.job_run_queuing_enabled,
        allocated_capacity: shown.allocated_capacity,
        max_capacity: shown.max_capacity,
        worker_type: shown.worker_type.map(|_| shown.worker_type().as_str_name().to_owned()),
        number_of_workers: shown.number_of_workers,
        security_configuration: shown.security_configuration.clone(),
        glue_version: shown.glue_version.clone(),
        execution_class: shown
            .execution_class
            .map(|_| shown.execution_class().as_str_name().to_owned()),
        job_mode: shown.job_mode.map(|_| shown.job_mode().as_str_name().to_owned()),
        maintenance_window: shown.maintenance_window.clone(),
        execution_role_session_policy: shown.execution_role_session_policy.clone(),
    }
}

/// A crawl as it is stored.
pub(crate) fn crawl_to_stored(crawl: &Crawl) -> internal::StoredCrawl {
    internal::StoredCrawl {
        crawl: Some(glue::Crawl {
            state: Some(plan::to_crawl_state(crawl.state).into()),
            started_on: Some(to_proto_time(crawl.started_at)),
            completed_on: crawl.completed_at.map(to_proto_time),
            error_message: crawl.error.clone(),
            log_group: Some("/aws-glue/crawlers".to_owned()),
            log_stream: Some(crawl.crawler_name.clone()),
        }),
        crawler_name: crawl.crawler_name.clone(),
        node: to_u32(crawl.node),
        trigger_name: crawl.trigger_name.clone().unwrap_or_default(),
    }
}

/// A crawl as it was stored.
pub(crate) fn crawl_from_stored(
    id: &str,
    run_id: Option<&str>,
    stored: &internal::StoredCrawl,
) -> Result<Crawl, Malformed> {
    let shown = stored.crawl.as_ref().ok_or(Malformed("stored crawl"))?;
    let run = run_id
        .map(|run| run.parse::<WorkflowRunId>().map_err(|_| Malformed("workflow run id")))
        .transpose()?;
    Ok(Crawl {
        id: id.parse().map_err(|_| Malformed("crawl id"))?,
        crawler_name: stored.crawler_name.clone(),
        run,
        node: stored.node as usize,
        trigger_name: non_empty(&stored.trigger_name),
        state: plan::crawl_state(shown.state())?,
        error: shown.error_message.clone(),
        started_at: shown
            .started_on
            .as_ref()
            .map(from_proto_time)
            .ok_or(Malformed("started on"))?,
        completed_at: shown.completed_on.as_ref().map(from_proto_time),
    })
}

pub(crate) fn job_run_id(text: &str) -> Result<JobRunId, Malformed> {
    text.parse().map_err(|_| Malformed("job run id"))
}

fn log_group(plan: &JobPlan, settings: &Settings) -> String {
    let group = if plan.command.name.as_deref() == Some("pythonshell") {
        PYTHON_LOG_GROUP
    } else {
        SPARK_LOG_GROUP
    };
    match &settings.security_configuration {
        None => group.to_owned(),
        Some(configuration) => format!("{group}-{configuration}"),
    }
}

fn to_i32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
