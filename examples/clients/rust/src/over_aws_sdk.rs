//! Makes, starts and watches a workflow with the AWS SDK, as it would on AWS.

use std::{env, fs, time::Duration};

use anyhow::{Context as _, ensure};
use aws_sdk_glue::{
    Client, Config,
    config::{Credentials, Region, SharedHttpClient},
    types::{Action, JobCommand, TriggerType, WorkflowRun, WorkflowRunStatus},
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use uuid::Uuid;

const POLL: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let glue = connect()?;
    let name = format!("sdk-{}", &Uuid::new_v4().simple().to_string()[..8]);
    make(&glue, &name).await?;
    let started = glue.start_workflow_run().name(&name).send().await?;
    let run_id = started.run_id().context("the run has an id")?;
    println!("started {name}: {run_id}");
    let run = ended(&glue, &name, run_id).await?;
    let status = run.status().context("the run has a status")?;
    let counts = run.statistics().context("the run has statistics")?;
    println!(
        "{status}: {} running, {} succeeded",
        counts.running_actions(),
        counts.succeeded_actions()
    );
    glue.put_workflow_run_properties()
        .name(&name)
        .run_id(run_id)
        .run_properties("read", "by Rust")
        .send()
        .await?;
    let found = glue
        .get_workflow_run_properties()
        .name(&name)
        .run_id(run_id)
        .send()
        .await?;
    println!(
        "properties: {:?}",
        found.run_properties().context("there are properties")?
    );
    ensure!(*status == WorkflowRunStatus::Completed, "the run did not complete");
    Ok(())
}

/// Gives the value of an environment variable, or what stands for it.
fn setting(name: &str, otherwise: &str) -> String {
    env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

/// Makes the client.
fn connect() -> anyhow::Result<Client> {
    let key = setting("AWS_ACCESS_KEY_ID", "000000000000");
    let secret = setting("AWS_SECRET_ACCESS_KEY", "any");
    let config = Config::builder()
        .behavior_version_latest()
        .http_client(http_client()?)
        .endpoint_url(setting("AWS_ENDPOINT_URL", "http://127.0.0.1:4570"))
        .region(Region::new(setting("AWS_DEFAULT_REGION", "us-east-1")))
        .credentials_provider(Credentials::new(key, secret, None, None, "environment"))
        .build();
    Ok(Client::from_conf(config))
}

/// Speaks TLS to https://, and trusts `AWS_CA_BUNDLE` if not whom the system does: this SDK does not read it itself.
fn http_client() -> anyhow::Result<SharedHttpClient> {
    let trust = match env::var("AWS_CA_BUNDLE") {
        Ok(file) => TrustStore::empty().with_pem_certificate(fs::read(&file).with_context(|| file)?),
        Err(_) => TrustStore::empty().with_native_roots(true),
    };
    Ok(Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(TlsContext::builder().with_trust_store(trust).build()?)
        .build_https())
}

/// Makes a workflow of one job.
async fn make(glue: &Client, name: &str) -> anyhow::Result<()> {
    glue.create_job()
        .name(name)
        .role("any")
        .command(JobCommand::builder().name("noop").build())
        .default_arguments("--duration-ms", "300")
        .send()
        .await?;
    glue.create_workflow().name(name).send().await?;
    glue.create_trigger()
        .name(name)
        .workflow_name(name)
        .r#type(TriggerType::OnDemand)
        .actions(Action::builder().job_name(name).build())
        .send()
        .await?;
    Ok(())
}

/// Asks for a run until it has ended.
async fn ended(glue: &Client, name: &str, run_id: &str) -> anyhow::Result<WorkflowRun> {
    loop {
        let answer = glue.get_workflow_run().name(name).run_id(run_id).send().await?;
        let run = answer.run.context("there is a run")?;
        if run.status() != Some(&WorkflowRunStatus::Running) {
            return Ok(run);
        }
        tokio::time::sleep(POLL).await;
    }
}
