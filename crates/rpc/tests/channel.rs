//! What a client sees must not depend on where the server is: each claim is checked in process and over a socket.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{pin::Pin, time::Duration};

use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming, service::Routes};
use treenail_proto::{
    glue::v1::{
        GetWorkflowRunPropertiesRequest, GetWorkflowRunPropertiesResponse, PutWorkflowRunPropertiesRequest,
        PutWorkflowRunPropertiesResponse,
        run_properties_service_client::RunPropertiesServiceClient,
        run_properties_service_server::{RunPropertiesService, RunPropertiesServiceServer},
    },
    worker::v1::{
        AckTask, TaskFinished, UploadLogsRequest, UploadLogsResponse, WorkRequest, WorkResponse, work_request,
        work_response,
        worker_service_client::WorkerServiceClient,
        worker_service_server::{WorkerService, WorkerServiceServer},
    },
};
use treenail_rpc::{Caller, Channel, Fault, Reason, Scope, connect, in_process, limits, serve_grpc};

const SERVICES: &[&str] = &[
    "treenail.glue.v1.RunPropertiesService",
    "treenail.worker.v1.WorkerService",
];

/// Echoes what it is told.
#[derive(Clone, Default)]
struct Echo {
    /// Completes the calls that ask to be kept waiting.
    go_on: CancellationToken,
}

#[tonic::async_trait]
impl RunPropertiesService for Echo {
    async fn get_workflow_run_properties(
        &self,
        request: Request<GetWorkflowRunPropertiesRequest>,
    ) -> Result<Response<GetWorkflowRunPropertiesResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        match request.get_ref().run_id() {
            "missing" => Err(Fault::new(Reason::EntityNotFoundException, "Entity not found").into()),
            "slow" => {
                self.go_on.cancelled().await;
                Ok(Response::new(GetWorkflowRunPropertiesResponse::default()))
            }
            "large" => Ok(Response::new(GetWorkflowRunPropertiesResponse {
                run_properties: [("size".to_owned(), "x".repeat(limits::GRPC_MESSAGE_BYTES_MAX - 100))].into(),
            })),
            _ => Ok(Response::new(GetWorkflowRunPropertiesResponse {
                run_properties: [
                    ("scope".to_owned(), caller.scope.to_string()),
                    ("invocation".to_owned(), caller.invocation.unwrap_or_default()),
                ]
                .into(),
            })),
        }
    }

    async fn put_workflow_run_properties(
        &self,
        _: Request<PutWorkflowRunPropertiesRequest>,
    ) -> Result<Response<PutWorkflowRunPropertiesResponse>, Status> {
        Err(Status::internal("secret words of the inside"))
    }
}

#[tonic::async_trait]
impl WorkerService for Echo {
    type WorkStream = Pin<Box<dyn Stream<Item = Result<WorkResponse, Status>> + Send>>;

    async fn work(&self, request: Request<Streaming<WorkRequest>>) -> Result<Response<Self::WorkStream>, Status> {
        let answers = request.into_inner().map(|message| match message?.message {
            Some(work_request::Message::Finished(TaskFinished { task_id, token, .. })) => Ok(WorkResponse {
                message: Some(work_response::Message::Ack(AckTask { task_id, token })),
            }),
            _ => Err(Fault::new(Reason::InvalidInputException, "only outcomes are echoed").into()),
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn upload_logs(
        &self,
        request: Request<Streaming<UploadLogsRequest>>,
    ) -> Result<Response<UploadLogsResponse>, Status> {
        let mut parts = request.into_inner();
        let mut count = 0;
        while let Some(part) = parts.message().await? {
            count += u64::from(part.token == count);
        }
        if count == 3 {
            Ok(Response::new(UploadLogsResponse {}))
        } else {
            Err(Status::data_loss(format!("{count} parts in order")))
        }
    }
}

/// The echo behind a channel, near or far.
struct Fixture {
    place: &'static str,
    channel: Channel,
    echo: Echo,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
}

impl Fixture {
    async fn both() -> [Fixture; 2] {
        [Fixture::near(), Fixture::far().await]
    }

    fn near() -> Fixture {
        let echo = Echo::default();
        let channel = in_process(routes(&echo));
        Fixture {
            place: "near",
            channel,
            echo,
            stop: CancellationToken::new(),
            server: None,
        }
    }

    async fn far() -> Fixture {
        let (echo, stop) = (Echo::default(), CancellationToken::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let channel = connect(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
        let (routes, stopped) = (routes(&echo), stop.clone().cancelled_owned());
        let server = tokio::spawn(async move { serve_grpc(listener, routes, SERVICES, stopped).await.unwrap() });
        Fixture {
            place: "far",
            channel,
            echo,
            stop,
            server: Some(server),
        }
    }

    fn properties(&self) -> RunPropertiesServiceClient<Channel> {
        RunPropertiesServiceClient::new(self.channel.clone())
    }

    fn worker(&self) -> WorkerServiceClient<Channel> {
        WorkerServiceClient::new(self.channel.clone())
    }
}

fn routes(echo: &Echo) -> Routes {
    Routes::new(RunPropertiesServiceServer::new(echo.clone())).add_service(WorkerServiceServer::new(echo.clone()))
}

fn get(run_id: &str) -> GetWorkflowRunPropertiesRequest {
    GetWorkflowRunPropertiesRequest {
        name: None,
        run_id: Some(run_id.to_owned()),
    }
}

fn finished(token: u64) -> WorkRequest {
    let finished = TaskFinished {
        task_id: "task".to_owned(),
        token,
        outcome: None,
    };
    WorkRequest {
        message: Some(work_request::Message::Finished(finished)),
    }
}

#[tokio::test]
async fn a_call_tells_who_calls() {
    for fixture in Fixture::both().await {
        let caller = Caller {
            scope: Scope {
                account: "123456789012".to_owned(),
                region: "eu-west-1".to_owned(),
            },
            invocation: Some("one-call".to_owned()),
        };
        let answer = fixture
            .properties()
            .get_workflow_run_properties(caller.request(get("any")))
            .await
            .unwrap();
        let properties = answer.into_inner().run_properties;
        assert_eq!(properties["scope"], "123456789012/eu-west-1", "{}", fixture.place);
        assert_eq!(properties["invocation"], "one-call", "{}", fixture.place);
    }
}

#[tokio::test]
async fn a_failure_keeps_its_reason_and_its_words() {
    for fixture in Fixture::both().await {
        let failure = fixture
            .properties()
            .get_workflow_run_properties(get("missing"))
            .await
            .unwrap_err();
        let expected = Fault::new(Reason::EntityNotFoundException, "Entity not found");
        assert_eq!(Fault::from_status(&failure), expected, "{}", fixture.place);
    }
}

#[tokio::test]
async fn a_failure_without_a_reason_tells_nothing() {
    for fixture in Fixture::both().await {
        let request = PutWorkflowRunPropertiesRequest::default();
        let failure = fixture
            .properties()
            .put_workflow_run_properties(request)
            .await
            .unwrap_err();
        assert_eq!(Fault::from_status(&failure), Fault::internal(), "{}", fixture.place);
    }
}

#[tokio::test]
async fn an_unknown_service_is_an_unknown_operation() {
    let nothing = in_process(Routes::default());
    let failure = RunPropertiesServiceClient::new(nothing)
        .get_workflow_run_properties(get("any"))
        .await
        .unwrap_err();
    assert_eq!(Fault::from_status(&failure).reason, Reason::UnknownOperationException);
}

#[tokio::test]
async fn a_stream_in_both_directions_is_a_conversation() {
    for fixture in Fixture::both().await {
        let (says, hears) = mpsc::channel(1);
        let mut answers = fixture
            .worker()
            .work(ReceiverStream::new(hears))
            .await
            .unwrap()
            .into_inner();
        for token in 0..5 {
            // Each is said only after the one before was answered.
            says.send(finished(token)).await.unwrap();
            let answer = answers.message().await.unwrap().unwrap().message;
            let acknowledged = AckTask {
                task_id: "task".to_owned(),
                token,
            };
            assert_eq!(
                answer,
                Some(work_response::Message::Ack(acknowledged)),
                "{}",
                fixture.place
            );
        }
        says.send(WorkRequest { message: None }).await.unwrap();
        let failure = answers.message().await.unwrap_err();
        assert_eq!(
            Fault::from_status(&failure).reason,
            Reason::InvalidInputException,
            "{}",
            fixture.place
        );
    }
}

#[tokio::test]
async fn a_stream_to_the_server_arrives_in_order() {
    for fixture in Fixture::both().await {
        let parts = (0..3).map(|token| UploadLogsRequest {
            token,
            ..UploadLogsRequest::default()
        });
        fixture.worker().upload_logs(tokio_stream::iter(parts)).await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_outlives_the_deadline_of_calls() {
    for fixture in Fixture::both().await {
        let (says, hears) = mpsc::channel(1);
        let answers = fixture.worker().work(ReceiverStream::new(hears)).await.unwrap();
        let told = answers.metadata().get("grpc-timeout");
        assert_eq!(told, None, "{}", fixture.place);
        drop(says);
        assert_eq!(answers.into_inner().message().await.unwrap(), None, "{}", fixture.place);
    }
}

#[tokio::test]
async fn a_call_ends_at_the_deadline_that_its_caller_names() {
    for fixture in Fixture::both().await {
        let mut request = Request::new(get("slow"));
        request.set_timeout(Duration::from_millis(20));
        let failure = fixture
            .properties()
            .get_workflow_run_properties(request)
            .await
            .unwrap_err();
        assert_eq!(
            Fault::from_status(&failure).reason,
            Reason::OperationTimeoutException,
            "{}",
            fixture.place
        );
    }
}

#[tokio::test]
async fn a_message_at_the_limit_arrives() {
    for fixture in Fixture::both().await {
        let answer = fixture
            .properties()
            .get_workflow_run_properties(get("large"))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            answer.run_properties["size"].len(),
            limits::GRPC_MESSAGE_BYTES_MAX - 100,
            "{}",
            fixture.place
        );
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let channel = connect(format!("http://{nobody}").parse().unwrap());
    let failure = RunPropertiesServiceClient::new(channel)
        .get_workflow_run_properties(get("any"))
        .await
        .unwrap_err();
    let fault = Fault::from_status(&failure);
    assert_eq!(fault.reason, Reason::ServiceUnavailableException);
    assert!(!fault.message.contains("127.0.0.1"), "{fault}");
}

#[tokio::test]
async fn a_channel_finds_a_server_that_starts_later_or_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let channel = connect(format!("http://{address}").parse().unwrap());
    let mut client = RunPropertiesServiceClient::new(channel);
    client.get_workflow_run_properties(get("any")).await.unwrap_err();
    for _ in 0..2 {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind(address).await.unwrap();
        let serving = serve_grpc(
            listener,
            routes(&Echo::default()),
            SERVICES,
            stop.clone().cancelled_owned(),
        );
        let calling = async {
            while client.get_workflow_run_properties(get("any")).await.is_err() {
                tokio::task::yield_now().await;
            }
            stop.cancel();
        };
        let (served, ()) = tokio::join!(serving, calling);
        served.unwrap();
    }
}

#[tokio::test]
async fn a_stopping_server_finishes_the_calls_in_flight() {
    let mut fixture = Fixture::far().await;
    let mut client = fixture.properties();
    // The connection stands and the call is in the server before the server is stopped.
    client.get_workflow_run_properties(get("any")).await.unwrap();
    let in_flight = tokio::spawn(async move { client.get_workflow_run_properties(get("slow")).await });
    tokio::task::yield_now().await;
    fixture.stop.cancel();
    tokio::task::yield_now().await;
    fixture.echo.go_on.cancel();
    let Some(server) = fixture.server.take() else {
        panic!("a far fixture has a server")
    };
    server.await.unwrap();
    in_flight.await.unwrap().unwrap();
}
