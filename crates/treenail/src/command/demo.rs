//! `treenail demo`: a server, an example on it, and what it did.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use treenail_proto::glue::v1::WorkflowRun;
use treenail_rpc::{Scope, connect};

use super::{apply, logs, run};
use crate::{
    cli::{Access, Admin, ClockKind, Demo, Executor, Front, Jobs, Serve, Tls, WorkerToken},
    client::Client,
    compose::all_in_one::Server,
    config::FileConfig,
    terminal,
};

/// How many jobs of the example run at once.
const SLOTS: u32 = 4;

/// Runs a bundle's workflow on a server of its own; exits with 0 when all went well.
pub(crate) async fn run(arguments: &Demo, file: FileConfig) -> anyhow::Result<ExitCode> {
    let temporary = tempfile::tempdir().context("cannot make a temporary folder")?;
    let data_dir = arguments
        .data_dir
        .clone()
        .unwrap_or_else(|| temporary.path().join("data"));
    let python = python_with_boto3(&arguments.python).await?;
    let any_port = ([127, 0, 0, 1], 0).into();
    let serve = Serve {
        admin: Admin {
            admin_listen: None,
            admin_token_file: None,
        },
        data_dir,
        front: Front {
            listen: any_port,
            grpc_listen: any_port,
            insecure: false,
            s3_endpoint: None,
            tls: Tls::default(),
            access: Access::default(),
        },
        scheduler_listen: None,
        worker_token: WorkerToken::default(),
        clock: ClockKind::System,
        jobs: Jobs {
            slots: SLOTS,
            python,
            allow_http: false,
            job_memory_mib_max: None,
            job_processes_max: 512,
            executor: Executor::default(),
        },
    };
    let server = Server::bind(&serve).await?;
    terminal::say(&format!(
        "server: http://{} (AWS JSON, S3), {} (gRPC)",
        server.http_address, server.grpc_address
    ));
    let endpoint = format!("http://{}", server.grpc_address).parse()?;
    let stop = CancellationToken::new();
    let client = Client::new(connect(endpoint), Scope::default());
    let example = async {
        let ended = example(&client, &arguments.bundle).await;
        stop.cancel();
        ended
    };
    let (served, ended) = tokio::join!(Box::pin(server.run(file, stop.clone())), Box::pin(example));
    let run = ended?;
    served?;
    Ok(if run::is_well(&run) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn example(client: &Client, bundle: &std::path::Path) -> anyhow::Result<WorkflowRun> {
    let applied = apply::apply(client, bundle).await?;
    terminal::say(&format!("applied {}: {} definitions", bundle.display(), applied.len()));
    let workflows = apply::workflow_names(bundle)?;
    let [workflow] = workflows.as_slice() else {
        bail!("the bundle must describe one workflow")
    };
    let request = treenail_proto::glue::v1::StartWorkflowRunRequest {
        name: Some(workflow.clone()),
        ..Default::default()
    };
    let started = client.workflow_runs().start_workflow_run(client.request(request)).await;
    let run_id = started
        .map_err(crate::client::Failed::from)?
        .into_inner()
        .run_id
        .unwrap_or_default();
    terminal::say(&format!("started {workflow}: {run_id}\n"));
    let run = run::follow(client, workflow, &run_id).await?;
    terminal::say("");
    for job_run in run
        .graph
        .iter()
        .flat_map(|graph| &graph.nodes)
        .filter_map(|node| node.job_details.as_ref())
        .flat_map(|details| &details.job_runs)
    {
        let output = logs::collect(client, job_run.id(), logs::Wanted::Stdout).await?;
        let attempt = if job_run.attempt() > 0 {
            format!(" (attempt {})", job_run.attempt())
        } else {
            String::new()
        };
        terminal::say(&format!("{}{attempt}:", job_run.job_name()));
        for line in String::from_utf8_lossy(&terminal::tame(&output)).lines() {
            terminal::say(&format!("  {line}"));
        }
        if let Some(error) = &job_run.error_message {
            terminal::say(&format!("  failed: {error}"));
        }
    }
    terminal::say(&format!("\n{}", run::summary(&run)));
    Ok(run)
}

/// The interpreter, if it has boto3; else one in a private environment that gets it.
async fn python_with_boto3(python: &PathBuf) -> anyhow::Result<PathBuf> {
    if has_boto3(python).await? {
        return Ok(python.clone());
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .context("cannot find a cache folder: set HOME or XDG_CACHE_HOME")?;
    let environment = cache.join("treenail").join("python");
    let private = environment.join("bin").join("python");
    if private.exists() && has_boto3(&private).await? {
        return Ok(private);
    }
    terminal::say(&format!(
        "preparing Python with boto3 in {} (once)",
        environment.display()
    ));
    let made = Command::new(python)
        .args(["-m", "venv", "--clear"])
        .arg(&environment)
        .status()
        .await?;
    if !made.success() {
        bail!("python3 -m venv failed: install your system's venv package (on Debian: python3-venv)");
    }
    let installed = Command::new(&private)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "boto3",
        ])
        .status()
        .await?;
    if !installed.success() {
        bail!("pip install boto3 failed: the example's jobs need it to reach the server");
    }
    Ok(private)
}

async fn has_boto3(python: &PathBuf) -> anyhow::Result<bool> {
    let output = Command::new(python).args(["-c", "import boto3"]).output().await;
    Ok(output
        .with_context(|| format!("cannot run {}: Python 3 is needed", python.display()))?
        .status
        .success())
}
