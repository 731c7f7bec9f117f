//! Makes, starts and watches a workflow over gRPC, and follows what its job writes; `build.rs` reads `proto/`.

use std::{collections::HashSet, env, fs, io::Write as _};

use anyhow::{Context as _, ensure};
use contract::treenail::{
    glue::v1::{
        Action, CreateJobRequest, CreateTriggerRequest, CreateWorkflowRequest, GetWorkflowRunPropertiesRequest,
        JobCommand, PutWorkflowRunPropertiesRequest, StartWorkflowRunRequest, TriggerType, WorkflowRunStatus,
        job_service_client::JobServiceClient, run_properties_service_client::RunPropertiesServiceClient,
        trigger_service_client::TriggerServiceClient, workflow_run_service_client::WorkflowRunServiceClient,
        workflow_service_client::WorkflowServiceClient,
    },
    ops::v1::{
        TailLogsRequest, WatchWorkflowRunRequest, log_service_client::LogServiceClient,
        watch_service_client::WatchServiceClient,
    },
};
use tonic::{
    Request, Status,
    metadata::{AsciiMetadataKey, AsciiMetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};
use uuid::Uuid;

/// The messages and clients.
#[allow(dead_code, reason = "it is all of the contract, and this program needs a part")]
mod contract {
    include!(concat!(env!("OUT_DIR"), "/treenail.rs"));
}

/// A channel whose calls say on whose behalf they are made.
type Server = InterceptedService<Channel, Caller>;

/// On whose behalf calls are made.
#[derive(Clone)]
struct Caller {
    metadata: Vec<(&'static str, AsciiMetadataValue)>,
}

impl Caller {
    /// An account of twelve digits, or a key with its secret.
    fn from_environment() -> anyhow::Result<Caller> {
        let key = setting("AWS_ACCESS_KEY_ID", "000000000000");
        let (name, value) = if key.bytes().all(|byte| byte.is_ascii_digit()) {
            ("treenail-account", key)
        } else {
            let secret = env::var("AWS_SECRET_ACCESS_KEY").context("AWS_SECRET_ACCESS_KEY")?;
            ("authorization", format!("Bearer {key}:{secret}"))
        };
        let mut value: AsciiMetadataValue = value.parse()?;
        value.set_sensitive(true);
        let region = setting("AWS_DEFAULT_REGION", "us-east-1").parse()?;
        Ok(Caller {
            metadata: vec![("treenail-region", region), (name, value)],
        })
    }
}

impl Interceptor for Caller {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for (name, value) in &self.metadata {
            let name = AsciiMetadataKey::from_static(name);
            request.metadata_mut().insert(name, value.clone());
        }
        Ok(request)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let server = connect().await?;
    let name = format!("grpc-{}", &Uuid::new_v4().simple().to_string()[..8]);
    make(&server, &name).await?;
    let started = WorkflowRunServiceClient::new(server.clone())
        .start_workflow_run(StartWorkflowRunRequest {
            name: Some(name.clone()),
            ..StartWorkflowRunRequest::default()
        })
        .await?;
    let run_id = started.into_inner().run_id;
    println!("started {name}: {}", run_id.as_deref().unwrap_or_default());
    let status = watch(&server, &name, &run_id).await?;

    let mut properties = RunPropertiesServiceClient::new(server);
    properties
        .put_workflow_run_properties(PutWorkflowRunPropertiesRequest {
            name: Some(name.clone()),
            run_id: run_id.clone(),
            run_properties: [("read".to_owned(), "by Rust".to_owned())].into(),
        })
        .await?;
    let found = properties
        .get_workflow_run_properties(GetWorkflowRunPropertiesRequest {
            name: Some(name),
            run_id,
        })
        .await?;
    println!("properties: {:?}", found.into_inner().run_properties);
    ensure!(status == WorkflowRunStatus::Completed, "the run did not complete");
    Ok(())
}

/// Gives the value of an environment variable, or what stands for it.
fn setting(name: &str, otherwise: &str) -> String {
    env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

/// Opens a channel: over TLS to https://, where `TREENAIL_CA` is whom to trust if not whom the system does.
async fn connect() -> anyhow::Result<Server> {
    let mut endpoint = Endpoint::from_shared(setting("TREENAIL_GRPC_ENDPOINT", "http://127.0.0.1:4571"))?;
    if endpoint.uri().scheme_str() == Some("https") {
        let trust = match env::var("TREENAIL_CA") {
            Ok(file) => {
                let authorities = fs::read(&file).with_context(|| file)?;
                ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authorities))
            }
            Err(_) => ClientTlsConfig::new().with_native_roots(),
        };
        endpoint = endpoint.tls_config(trust)?;
    }
    Ok(InterceptedService::new(
        endpoint.connect().await?,
        Caller::from_environment()?,
    ))
}

/// Makes a workflow of one job.
async fn make(server: &Server, name: &str) -> anyhow::Result<()> {
    let script = setting("TREENAIL_SCRIPT", concat!(env!("CARGO_MANIFEST_DIR"), "/../hello.py"));
    JobServiceClient::new(server.clone())
        .create_job(CreateJobRequest {
            name: Some(name.to_owned()),
            role: Some("any".to_owned()),
            command: Some(JobCommand {
                name: Some("pythonshell".to_owned()),
                python_version: Some("3.9".to_owned()),
                script_location: Some(script),
                ..JobCommand::default()
            }),
            ..CreateJobRequest::default()
        })
        .await?;
    WorkflowServiceClient::new(server.clone())
        .create_workflow(CreateWorkflowRequest {
            name: Some(name.to_owned()),
            ..CreateWorkflowRequest::default()
        })
        .await?;
    TriggerServiceClient::new(server.clone())
        .create_trigger(CreateTriggerRequest {
            name: Some(name.to_owned()),
            workflow_name: Some(name.to_owned()),
            r#type: Some(TriggerType::OnDemand.into()),
            actions: vec![Action {
                job_name: Some(name.to_owned()),
                ..Action::default()
            }],
            ..CreateTriggerRequest::default()
        })
        .await?;
    Ok(())
}

/// Watches a run until it has ended, and shows what its job writes; gives the last status.
async fn watch(server: &Server, name: &str, run_id: &Option<String>) -> anyhow::Result<WorkflowRunStatus> {
    let request = WatchWorkflowRunRequest {
        name: Some(name.to_owned()),
        run_id: run_id.clone(),
        include_graph: Some(true),
    };
    let mut stream = WatchServiceClient::new(server.clone())
        .watch_workflow_run(request)
        .await?
        .into_inner();
    let mut status = WorkflowRunStatus::Unspecified;
    let mut followed = HashSet::new();
    while let Some(answer) = stream.message().await? {
        let run = answer.run.unwrap_or_default();
        let counts = run.statistics.unwrap_or_default();
        status = run.status();
        println!(
            "{}: {} running, {} succeeded",
            status.as_str_name().trim_start_matches("WORKFLOW_RUN_STATUS_"),
            counts.running_actions(),
            counts.succeeded_actions()
        );
        let nodes = run.graph.unwrap_or_default().nodes;
        let job_runs = nodes.into_iter().filter_map(|node| node.job_details);
        for job_run in job_runs.flat_map(|details| details.job_runs) {
            // Whoever reads the stream late hears of the run as it is then: nothing is missed meanwhile.
            if followed.insert(job_run.id.clone()) {
                follow(server, job_run.id).await?;
            }
        }
    }
    Ok(status)
}

/// Shows what a job run writes, until it has ended.
async fn follow(server: &Server, job_run_id: Option<String>) -> anyhow::Result<()> {
    let request = TailLogsRequest {
        job_run_id,
        follow: Some(true),
        ..TailLogsRequest::default()
    };
    let mut stream = LogServiceClient::new(server.clone())
        .tail_logs(request)
        .await?
        .into_inner();
    let mut output = std::io::stdout();
    while let Some(answer) = stream.message().await? {
        for chunk in answer.chunks {
            output.write_all(&chunk.data)?;
            output.flush()?;
        }
    }
    Ok(())
}
