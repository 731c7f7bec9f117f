//! The AWS SDK for Rust, unchanged, against the real binary.

use std::{
    collections::HashMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use aws_sdk_glue::{
    Client, Config,
    config::{Credentials, Region},
    operation::get_workflow::GetWorkflowError,
    types::{
        Action, Condition, JobCommand, JobRunState, LogicalOperator, NodeType, Predicate, TriggerType, WorkflowRun,
        WorkflowRunStatus,
    },
};

const POLL: Duration = Duration::from_millis(50);
const POLLS_MAX: usize = 600;

/// A server that ends with the test.
struct Server {
    process: Child,
    endpoint: String,
}

impl Server {
    fn start(data_dir: &Path) -> Self {
        let [http, grpc] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let process = Command::new(binary())
            .args(["serve", "--listen", &http, "--grpc-listen", &grpc, "--data-dir"])
            .arg(data_dir)
            .stdin(Stdio::null())
            .spawn()
            .expect("the binary starts: cargo build -p treenail");
        Self {
            process,
            endpoint: format!("http://{http}"),
        }
    }

    fn client(&self) -> Client {
        let config = Config::builder()
            .behavior_version_latest()
            .endpoint_url(&self.endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("123456789012", "any", None, None, "test"))
            .build();
        Client::from_conf(config)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().expect("the server is this process's own child");
        self.process.wait().expect("the server is this process's own child");
    }
}

#[tokio::test]
async fn a_workflow_is_made_run_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"));
    let glue = server.client();
    ready(&glue).await;
    make_workflow(&glue, &script(folder.path())).await;

    let started = glue
        .start_workflow_run()
        .name("w")
        .run_properties("y", "2")
        .send()
        .await
        .unwrap();
    let run = ended(&glue, started.run_id().unwrap()).await;
    let statistics = run.statistics().unwrap();
    assert_eq!((statistics.total_actions(), statistics.succeeded_actions()), (2, 2));
    let properties = HashMap::from([("x".to_owned(), "1".to_owned()), ("y".to_owned(), "2".to_owned())]);
    assert_eq!(run.workflow_run_properties(), Some(&properties));
    assert!(run.completed_on().unwrap() >= run.started_on().unwrap());

    let jobs: Vec<_> = run
        .graph()
        .unwrap()
        .nodes()
        .iter()
        .filter(|node| node.r#type() == Some(&NodeType::Job))
        .collect();
    assert_eq!(jobs.len(), 2);
    for job in jobs {
        let runs = job.job_details().unwrap().job_runs();
        assert_eq!(
            runs.iter().map(|run| run.job_run_state()).collect::<Vec<_>>(),
            [Some(&JobRunState::Succeeded)]
        );
    }
}

#[tokio::test]
async fn errors_have_their_types_and_lists_their_pages() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("data"));
    let glue = server.client();
    ready(&glue).await;

    let error = glue
        .get_workflow()
        .name("nowhere")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let GetWorkflowError::EntityNotFoundException(found) = error else {
        panic!("{error:?}")
    };
    assert_eq!(found.message(), Some("Entity not found"));

    for name in ["a", "b", "c"] {
        glue.create_workflow().name(name).send().await.unwrap();
    }
    let mut pages = glue.list_workflows().into_paginator().page_size(2).send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        names.extend(page.unwrap().workflows().to_vec());
    }
    assert_eq!(names, ["a", "b", "c"]);
}

async fn make_workflow(glue: &Client, script: &str) {
    glue.create_workflow()
        .name("w")
        .default_run_properties("x", "1")
        .send()
        .await
        .unwrap();
    for job in ["J1", "J2"] {
        let command = JobCommand::builder()
            .name("pythonshell")
            .script_location(script)
            .build();
        glue.create_job()
            .name(job)
            .role("any")
            .command(command)
            .send()
            .await
            .unwrap();
    }
    glue.create_trigger()
        .name("start")
        .workflow_name("w")
        .r#type(TriggerType::OnDemand)
        .actions(Action::builder().job_name("J1").build())
        .send()
        .await
        .unwrap();
    let condition = Condition::builder()
        .logical_operator(LogicalOperator::Equals)
        .job_name("J1")
        .state(JobRunState::Succeeded)
        .build();
    glue.create_trigger()
        .name("then")
        .workflow_name("w")
        .r#type(TriggerType::Conditional)
        .predicate(Predicate::builder().conditions(condition).build())
        .actions(Action::builder().job_name("J2").build())
        .start_on_creation(true)
        .send()
        .await
        .unwrap();
}

async fn ready(glue: &Client) {
    for _ in 0..POLLS_MAX {
        if glue.list_workflows().send().await.is_ok() {
            return;
        }
        tokio::time::sleep(POLL).await;
    }
    panic!("the server did not become ready");
}

async fn ended(glue: &Client, run_id: &str) -> WorkflowRun {
    for _ in 0..POLLS_MAX {
        let answer = glue
            .get_workflow_run()
            .name("w")
            .run_id(run_id)
            .include_graph(true)
            .send()
            .await
            .unwrap();
        let run = answer.run().unwrap();
        if run.status() == Some(&WorkflowRunStatus::Completed) {
            return run.clone();
        }
        tokio::time::sleep(POLL).await;
    }
    panic!("run {run_id} did not end");
}

fn script(folder: &Path) -> String {
    let path = folder.join("job.py");
    fs::write(&path, "print('done')\n").unwrap();
    format!("file://{}", path.display())
}

fn binary() -> PathBuf {
    std::env::var_os("TREENAIL_BIN").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debug/treenail"),
        PathBuf::from,
    )
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
