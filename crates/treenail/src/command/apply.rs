//! `treenail apply`: what a bundle describes is created, or updated where it is there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use prost::Message;
use serde::Deserialize;
use serde_json::Value;
use treenail_aws_json::{Limits, Schema};
use treenail_proto::glue::v1::{
    CreateJobRequest, CreateTriggerRequest, CreateWorkflowRequest, GetTriggerRequest, JobUpdate, StartTriggerRequest,
    TriggerState, TriggerType, TriggerUpdate, UpdateJobRequest, UpdateTriggerRequest, UpdateWorkflowRequest,
};
use treenail_rpc::{Fault, Reason};

use crate::{
    client::{Client, Failed},
    terminal,
};

/// The file of a bundle's folder.
const BUNDLE_FILE: &str = "treenail.yaml";

/// A bundle: the inputs of AWS's own operations.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
struct Bundle {
    jobs: Vec<Value>,
    workflows: Vec<Value>,
    triggers: Vec<Value>,
}

/// Applies a bundle; says what it did.
pub(crate) async fn run(client: &Client, path: &Path) -> anyhow::Result<()> {
    for line in apply(client, path).await? {
        terminal::say(&line);
    }
    Ok(())
}

/// Applies a bundle; gives a line for each thing.
pub(crate) async fn apply(client: &Client, path: &Path) -> anyhow::Result<Vec<String>> {
    let (bundle, _) = read(path)?;
    let schema = Schema::new(treenail_proto::descriptors())?;
    let mut lines = Vec::new();
    for value in &bundle.jobs {
        lines.push(apply_job(client, parse(&schema, "CreateJobRequest", value)?).await?);
    }
    for value in &bundle.workflows {
        lines.push(apply_workflow(client, parse(&schema, "CreateWorkflowRequest", value)?).await?);
    }
    for value in &bundle.triggers {
        lines.push(apply_trigger(client, parse(&schema, "CreateTriggerRequest", value)?).await?);
    }
    Ok(lines)
}

/// The names of the workflows that a bundle describes.
pub(crate) fn workflow_names(path: &Path) -> anyhow::Result<Vec<String>> {
    let (bundle, _) = read(path)?;
    let name = |workflow: &Value| workflow.get("Name").and_then(Value::as_str).map(str::to_owned);
    Ok(bundle.workflows.iter().filter_map(name).collect())
}

fn read(path: &Path) -> anyhow::Result<(Bundle, PathBuf)> {
    let file = if path.is_dir() {
        path.join(BUNDLE_FILE)
    } else {
        path.to_owned()
    };
    let file = file
        .canonicalize()
        .with_context(|| format!("cannot find {}", file.display()))?;
    let folder = file.parent().unwrap_or_else(|| Path::new("/")).to_owned();
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut bundle: Bundle =
        serde_norway::from_str(&text).with_context(|| format!("cannot understand {}", file.display()))?;
    let base = folder.to_string_lossy().into_owned();
    for value in bundle
        .jobs
        .iter_mut()
        .chain(&mut bundle.workflows)
        .chain(&mut bundle.triggers)
    {
        resolve(value, &base);
    }
    for job in &mut bundle.jobs {
        resolve_script(job, &folder);
    }
    Ok((bundle, folder))
}

/// Puts the bundle's folder in place of `${bundle}` in all texts; numbers and flags of argument maps become texts.
fn resolve(value: &mut Value, base: &str) {
    match value {
        Value::String(text) => *text = text.replace("${bundle}", base),
        Value::Array(values) => values.iter_mut().for_each(|value| resolve(value, base)),
        Value::Object(members) => members.values_mut().for_each(|value| resolve(value, base)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A script without a scheme is a file of the bundle.
fn resolve_script(job: &mut Value, folder: &Path) {
    if let Some(Value::String(location)) = job
        .get_mut("Command")
        .and_then(|command| command.get_mut("ScriptLocation"))
        && !location.contains("://")
    {
        *location = format!("file://{}", folder.join(&*location).display());
    }
}

fn parse<M: Message + Default>(schema: &Schema, message: &str, value: &Value) -> anyhow::Result<M> {
    let name = value
        .get("Name")
        .and_then(Value::as_str)
        .unwrap_or("without a name")
        .to_owned();
    let descriptor = treenail_proto::descriptors()
        .get_message_by_name(&format!("treenail.glue.v1.{message}"))
        .context("the contract has no such message")?;
    let decoded = schema
        .decode(&descriptor, value.to_string().as_bytes(), &Limits::default())
        .with_context(|| format!("cannot understand the entry {name}"))?;
    if let Some(unknown) = decoded.unknown_enums.first() {
        bail!(
            "the entry {name} has {} {:?}, which is none of {}",
            unknown.path,
            unknown.value,
            unknown.allowed.join(", ")
        );
    }
    Ok(M::decode(Message::encode_to_vec(&decoded.message).as_slice())?)
}

fn is_there(status: &tonic::Status) -> bool {
    matches!(
        Fault::from_status(status).reason,
        Reason::AlreadyExistsException | Reason::IdempotentParameterMismatchException
    )
}

async fn apply_job(client: &Client, job: CreateJobRequest) -> anyhow::Result<String> {
    let name = job.name().to_owned();
    match client.jobs().create_job(client.request(job.clone())).await {
        Ok(_) => Ok(format!("job {name}")),
        Err(status) if is_there(&status) => {
            let request = UpdateJobRequest {
                job_name: Some(name.clone()),
                job_update: Some(update_of_job(job)),
            };
            client
                .jobs()
                .update_job(client.request(request))
                .await
                .map_err(Failed::from)?;
            Ok(format!("job {name} (updated)"))
        }
        Err(status) => Err(Failed::from(status)).with_context(|| format!("job {name}")),
    }
}

fn update_of_job(job: CreateJobRequest) -> JobUpdate {
    JobUpdate {
        job_mode: job.job_mode,
        job_run_queuing_enabled: job.job_run_queuing_enabled,
        description: job.description,
        log_uri: job.log_uri,
        role: job.role,
        execution_property: job.execution_property,
        command: job.command,
        default_arguments: job.default_arguments,
        non_overridable_arguments: job.non_overridable_arguments,
        connections: job.connections,
        max_retries: job.max_retries,
        allocated_capacity: job.allocated_capacity,
        timeout: job.timeout,
        max_capacity: job.max_capacity,
        worker_type: job.worker_type,
        number_of_workers: job.number_of_workers,
        security_configuration: job.security_configuration,
        notification_property: job.notification_property,
        glue_version: job.glue_version,
        code_gen_configuration_nodes: job.code_gen_configuration_nodes,
        execution_class: job.execution_class,
        source_control_details: job.source_control_details,
        maintenance_window: job.maintenance_window,
    }
}

async fn apply_workflow(client: &Client, workflow: CreateWorkflowRequest) -> anyhow::Result<String> {
    let name = workflow.name().to_owned();
    match client
        .workflows()
        .create_workflow(client.request(workflow.clone()))
        .await
    {
        Ok(_) => Ok(format!("workflow {name}")),
        Err(status) if is_there(&status) => {
            let request = UpdateWorkflowRequest {
                name: workflow.name,
                description: workflow.description,
                default_run_properties: workflow.default_run_properties,
                max_concurrent_runs: workflow.max_concurrent_runs,
            };
            client
                .workflows()
                .update_workflow(client.request(request))
                .await
                .map_err(Failed::from)?;
            Ok(format!("workflow {name} (updated)"))
        }
        Err(status) => Err(Failed::from(status)).with_context(|| format!("workflow {name}")),
    }
}

async fn apply_trigger(client: &Client, trigger: CreateTriggerRequest) -> anyhow::Result<String> {
    let name = trigger.name().to_owned();
    match client.triggers().create_trigger(client.request(trigger.clone())).await {
        Ok(_) => Ok(format!("trigger {name}")),
        Err(status) if is_there(&status) => {
            let starts = trigger.start_on_creation()
                && matches!(trigger.r#type(), TriggerType::Scheduled | TriggerType::Conditional);
            let update = TriggerUpdate {
                name: None,
                description: trigger.description,
                schedule: trigger.schedule,
                actions: trigger.actions,
                predicate: trigger.predicate,
                event_batching_condition: trigger.event_batching_condition,
            };
            let request = UpdateTriggerRequest {
                name: Some(name.clone()),
                trigger_update: Some(update),
            };
            client
                .triggers()
                .update_trigger(client.request(request))
                .await
                .map_err(Failed::from)?;
            if starts {
                activate(client, &name).await?;
            }
            Ok(format!("trigger {name} (updated)"))
        }
        Err(status) => Err(Failed::from(status)).with_context(|| format!("trigger {name}")),
    }
}

async fn activate(client: &Client, name: &str) -> anyhow::Result<()> {
    let request = GetTriggerRequest {
        name: Some(name.to_owned()),
    };
    let answer = client
        .triggers()
        .get_trigger(client.request(request))
        .await
        .map_err(Failed::from)?;
    let state = answer.into_inner().trigger.unwrap_or_default().state();
    if state != TriggerState::Activated {
        let request = StartTriggerRequest {
            name: Some(name.to_owned()),
        };
        client
            .triggers()
            .start_trigger(client.request(request))
            .await
            .map_err(Failed::from)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_knows_its_folder_and_its_scripts() {
        let folder = tempfile::tempdir().unwrap();
        let text =
            "Jobs: [{Name: j, Command: {ScriptLocation: jobs/a.py}, DefaultArguments: {--x: \"${bundle}/in\"}}]\n";
        fs::write(folder.path().join(BUNDLE_FILE), text).unwrap();
        let (bundle, base) = read(folder.path()).unwrap();
        let job = &bundle.jobs[0];
        assert_eq!(
            job["Command"]["ScriptLocation"],
            format!("file://{}/jobs/a.py", base.display())
        );
        assert_eq!(job["DefaultArguments"]["--x"], format!("{}/in", base.display()));
        fs::write(folder.path().join(BUNDLE_FILE), "Crawlers: []").unwrap();
        assert!(read(folder.path()).is_err());
    }
}
