//! What a server tells of itself: health and reflection, in every version that clients speak.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{Code, service::Routes};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::{v1, v1alpha};
use treenail_rpc::{Channel, connect, serve_grpc};

const SERVICES: &[&str] = &["treenail.glue.v1.WorkflowService", "treenail.worker.v1.WorkerService"];

/// Runs a client against a server that stops when the client is done.
async fn with_server<T>(client: impl AsyncFnOnce(Channel) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = connect(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
    let stop = CancellationToken::new();
    let serving = serve_grpc(listener, Routes::default(), SERVICES, stop.clone().cancelled_owned());
    let asking = async {
        let answer = client(channel).await;
        stop.cancel();
        answer
    };
    let (served, answer) = tokio::join!(serving, asking);
    served.unwrap();
    answer
}

async fn status(client: &mut HealthClient<Channel>, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = client.check(request).await.map_err(|status| status.code())?;
    Ok(answer.into_inner().status())
}

#[tokio::test]
async fn health_is_known_of_the_server_and_of_each_service() {
    with_server(async |channel| {
        let mut health = HealthClient::new(channel);
        for service in SERVICES.iter().copied().chain([""]) {
            assert_eq!(
                status(&mut health, service).await,
                Ok(ServingStatus::Serving),
                "{service:?}"
            );
        }
        assert_eq!(
            status(&mut health, "treenail.glue.v1.TriggerService").await,
            Err(Code::NotFound)
        );
    })
    .await;
}

/// The services that a server must list, in order.
fn listed() -> Vec<String> {
    ["grpc.health.v1.Health"]
        .iter()
        .chain(SERVICES)
        .map(|&name| name.to_owned())
        .collect()
}

#[tokio::test]
async fn reflection_lists_what_is_served() {
    use v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let ask = |question| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    };
    with_server(async |channel| {
        let questions = [
            ask(MessageRequest::ListServices(String::new())),
            ask(MessageRequest::FileContainingSymbol(
                "treenail.glue.v1.WorkflowService.CreateWorkflow".to_owned(),
            )),
        ];
        let mut client = ServerReflectionClient::new(channel);
        let mut answers = client
            .server_reflection_info(tokio_stream::iter(questions))
            .await
            .unwrap()
            .into_inner();
        let Some(MessageResponse::ListServicesResponse(list)) = next(answers.message()).await.message_response else {
            panic!("the answer is no list")
        };
        let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
        names.retain(|name| !name.starts_with("grpc.reflection."));
        names.sort();
        assert_eq!(names, listed());
        let file = next(answers.message()).await.message_response;
        assert!(
            matches!(file, Some(MessageResponse::FileDescriptorResponse(_))),
            "{file:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn reflection_speaks_its_older_version_too() {
    use v1alpha::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    with_server(async |channel| {
        let question = MessageRequest::ListServices(String::new());
        let question = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(question),
        };
        let mut client = ServerReflectionClient::new(channel);
        let mut answers = client
            .server_reflection_info(tokio_stream::iter([question]))
            .await
            .unwrap()
            .into_inner();
        let Some(MessageResponse::ListServicesResponse(list)) = next(answers.message()).await.message_response else {
            panic!("the answer is no list")
        };
        let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
        names.retain(|name| !name.starts_with("grpc.reflection."));
        names.sort();
        assert_eq!(names, listed());
    })
    .await;
}

async fn next<T>(answer: impl Future<Output = Result<Option<T>, tonic::Status>>) -> T {
    answer.await.unwrap().unwrap()
}
