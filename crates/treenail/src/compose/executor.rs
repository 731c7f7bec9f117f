//! What jobs run in, by what the operator says.

use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use treenail_worker::{CgroupFolder, ContainerSettings, ExecutorKind, Images, JobUser, Kubernetes};

use crate::cli::{self, Jobs};

/// What jobs run in.
pub(super) fn kind(jobs: &Jobs) -> anyhow::Result<ExecutorKind> {
    let executor = &jobs.executor;
    ensure!(
        executor.job_cgroups.is_none() || executor.executor == cli::ExecutorKind::Process,
        "--job-cgroups is for jobs that are processes: others have the bounds of their engine or cluster"
    );
    Ok(match executor.executor {
        cli::ExecutorKind::Process => ExecutorKind::Process,
        cli::ExecutorKind::Container => ExecutorKind::Container(ContainerSettings {
            engine: executor.container.container_engine.clone(),
            images: images(executor)?,
            network: executor.container.container_network.clone(),
        }),
        cli::ExecutorKind::Kubernetes => {
            let cluster = &executor.kubernetes;
            ensure!(
                executor.job_user.is_none(),
                "--job-user is for jobs of this machine, not of a cluster"
            );
            ExecutorKind::Kubernetes(Kubernetes {
                namespace: cluster.kubernetes_namespace.clone(),
                images: images(executor)?,
                stage_image: cluster.kubernetes_image.clone(),
                python: jobs.python.to_str().context("--python is not UTF-8")?.to_owned(),
                resource_factor: cluster.kubernetes_resource_factor,
                start_timeout: Duration::from_secs(cluster.kubernetes_start_timeout_seconds),
                run_as: cluster.kubernetes_run_as,
            })
        }
    })
}

/// The user that jobs run as, where that is another one.
pub(super) fn job_user(jobs: &Jobs) -> anyhow::Result<Option<JobUser>> {
    Ok(jobs.executor.job_user.as_deref().map(JobUser::find).transpose()?)
}

/// Where jobs get control groups, if they do.
pub(super) fn cgroups(jobs: &Jobs) -> Option<CgroupFolder> {
    let folder = jobs.executor.job_cgroups.as_ref()?;
    Some(match folder.to_str() {
        Some("own") => CgroupFolder::Own,
        _ => CgroupFolder::Folder(folder.clone()),
    })
}

fn images(executor: &cli::Executor) -> anyhow::Result<Images> {
    let entries: Vec<&str> = executor
        .images
        .iter()
        .map(String::as_str)
        .filter(|entry| !entry.is_empty())
        .collect();
    ensure!(
        !entries.is_empty(),
        "this executor needs an --image for the jobs that it is to run"
    );
    Images::parse(entries)
        .map_err(|error| anyhow!(error))
        .context("--image")
}
