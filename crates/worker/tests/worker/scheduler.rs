//! A run-scheduler that hands out what a test says and remembers what it hears.

use std::{
    ops::Deref,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
    time::{Instant, interval, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, service::Routes};
use treenail_proto::{
    glue::v1::JobCommand,
    worker::v1::{
        AckTask, AssignTask, CancelTask, Hello, JobTask, LogStream, Outcome, Task, TaskFinished, UploadLogsRequest,
        UploadLogsResponse, Welcome, WorkRequest, WorkResponse, work_request, work_response,
        worker_service_server::{WorkerService, WorkerServiceServer},
    },
};
use treenail_rpc::{Entropy, in_process};
use treenail_worker::{Config, Deps, Error, Limits, run};

const TOKEN: u64 = 7;
const PATIENCE: Duration = Duration::from_secs(30);
const QUEUE: usize = 64;

type Outbound = mpsc::Sender<Result<WorkResponse, Status>>;

/// A task that runs a script as plain Python.
pub(crate) fn task(id: &str, script: &str) -> Task {
    Task {
        task_id: id.to_owned(),
        token: TOKEN,
        account: "123456789012".to_owned(),
        region: "eu-central-1".to_owned(),
        job: Some(JobTask {
            job_name: "etl".to_owned(),
            job_run_id: id.to_owned(),
            command: Some(JobCommand {
                name: Some("pythonshell".to_owned()),
                script_location: Some(format!("file://{script}")),
                ..JobCommand::default()
            }),
            ..JobTask::default()
        }),
        traceparent: String::new(),
        tracestate: String::new(),
    }
}

/// A worker with its run-scheduler and a folder for both.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    scheduler: Scheduler,
    hellos: mpsc::Receiver<Hello>,
    outcomes: mpsc::Receiver<TaskFinished>,
    stop: Option<oneshot::Sender<()>>,
    worker: JoinHandle<Result<(), Error>>,
}

impl Bench {
    /// Starts both and waits until they have met.
    pub(crate) async fn start() -> Bench {
        Bench::start_with(|_| {}).await
    }

    /// Starts both with another configuration and waits until they have met.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let (hello, hellos) = mpsc::channel(QUEUE);
        let (outcome, outcomes) = mpsc::channel(QUEUE);
        let scheduler = Scheduler::new(hello, outcome);
        let routes = Routes::new(WorkerServiceServer::new(scheduler.clone()));
        let deps = Deps {
            scheduler: in_process(routes),
            // Workers of tests that run at the same time must not take each other for their own past.
            entropy: Entropy::os(),
            in_touch: tokio::sync::watch::Sender::new(false),
        };
        let mut config = Config {
            slots: 2,
            work_dir: folder.path().join("work"),
            awsglue_path: folder.path().join("awsglue"),
            limits: Limits {
                outcome_again: Duration::from_millis(50),
                ..Limits::default()
            },
            ..Config::default()
        };
        change(&mut config);
        let (stop, stopped) = oneshot::channel();
        let worker = tokio::spawn(run(config, deps, async {
            drop(stopped.await);
        }));
        let mut bench = Bench {
            folder,
            scheduler,
            hellos,
            outcomes,
            stop: Some(stop),
            worker,
        };
        assert!(bench.hello().await.held.is_empty());
        bench
    }

    /// A path in the test's folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file into the test's folder; gives back its path.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        self.path(name)
    }

    pub(crate) async fn assign(&self, task: Task) {
        self.tell(work_response::Message::Assign(AssignTask { task: Some(task) }))
            .await;
    }

    pub(crate) async fn cancel(&self, task_id: &str) {
        self.tell(work_response::Message::Cancel(CancelTask {
            task_id: task_id.to_owned(),
            token: TOKEN,
        }))
        .await;
    }

    async fn tell(&self, message: work_response::Message) {
        let outbound = self.scheduler.outbound.lock().unwrap().clone().unwrap();
        outbound.send(Ok(response(message))).await.unwrap();
    }

    /// The next hello.
    pub(crate) async fn hello(&mut self) -> Hello {
        timeout(PATIENCE, self.hellos.recv()).await.unwrap().unwrap()
    }

    /// The next outcome that is said, which must be this task's.
    pub(crate) async fn outcome(&mut self, task_id: &str) -> Outcome {
        let finished = timeout(PATIENCE, self.outcomes.recv()).await.unwrap().unwrap();
        assert_eq!((finished.task_id.as_str(), finished.token), (task_id, TOKEN));
        finished.outcome.unwrap()
    }

    pub(crate) fn heard_start(&self, task_id: &str) -> bool {
        self.scheduler.started.lock().unwrap().iter().any(|id| id == task_id)
    }

    pub(crate) async fn wait_for_start(&self, task_id: &str) {
        self.eventually("the task to start", || self.heard_start(task_id)).await;
    }

    pub(crate) fn heard_decline(&self, task_id: &str) -> bool {
        self.scheduler.declined.lock().unwrap().iter().any(|id| id == task_id)
    }

    pub(crate) async fn wait_for_draining(&self) {
        let is_draining = || self.scheduler.is_draining.load(Ordering::SeqCst);
        self.eventually("the worker to drain", is_draining).await;
    }

    /// Waits until the worker has ended, as it was asked to.
    pub(crate) async fn ended(self) {
        timeout(PATIENCE, self.worker).await.unwrap().unwrap().unwrap();
    }

    /// All output of the stream so far.
    pub(crate) fn output(&self, stream: LogStream) -> String {
        let logs = self.scheduler.logs.lock().unwrap();
        let chunks = logs.iter().filter(|(of, _)| *of == stream);
        String::from_utf8(chunks.flat_map(|(_, data)| data.clone()).collect()).unwrap()
    }

    /// Outcomes are acknowledged only from this one on.
    pub(crate) fn acknowledge_from(&self, count: usize) {
        self.scheduler.acknowledge_from.store(count, Ordering::SeqCst);
    }

    pub(crate) fn lose_stream(&self) {
        self.scheduler.outbound.lock().unwrap().take();
    }

    pub(crate) fn refuse_streams(&self) {
        self.scheduler.refuses.store(true, Ordering::SeqCst);
        self.lose_stream();
    }

    pub(crate) fn ask_to_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Stops the worker, which must end.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        timeout(PATIENCE, self.worker).await.unwrap().unwrap().unwrap();
    }

    pub(crate) async fn eventually(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut looks = interval(Duration::from_millis(5));
        while !is_so() {
            assert!(Instant::now() < deadline, "waited too long for {what}");
            looks.tick().await;
        }
    }
}

#[derive(Clone)]
struct Scheduler(Arc<State>);

impl Deref for Scheduler {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

struct State {
    hello: mpsc::Sender<Hello>,
    outcome: mpsc::Sender<TaskFinished>,
    /// Dropped to lose the stream.
    outbound: Mutex<Option<Outbound>>,
    started: Mutex<Vec<String>>,
    declined: Mutex<Vec<String>>,
    is_draining: AtomicBool,
    logs: Mutex<Vec<(LogStream, Vec<u8>)>>,
    refuses: AtomicBool,
    acknowledge_from: AtomicUsize,
    said: AtomicUsize,
    hearing: Mutex<JoinSet<()>>,
}

impl Scheduler {
    fn new(hello: mpsc::Sender<Hello>, outcome: mpsc::Sender<TaskFinished>) -> Scheduler {
        Scheduler(Arc::new(State {
            hello,
            outcome,
            outbound: Mutex::default(),
            started: Mutex::default(),
            declined: Mutex::default(),
            is_draining: AtomicBool::new(false),
            logs: Mutex::default(),
            refuses: AtomicBool::new(false),
            acknowledge_from: AtomicUsize::new(0),
            said: AtomicUsize::new(0),
            hearing: Mutex::default(),
        }))
    }

    async fn hear(&self, message: work_request::Message) {
        match message {
            work_request::Message::Hello(hello) => self.hello.send(hello).await.unwrap(),
            work_request::Message::Heartbeat(_) => {}
            work_request::Message::Draining(_) => self.is_draining.store(true, Ordering::SeqCst),
            work_request::Message::Declined(declined) => self.declined.lock().unwrap().push(declined.task_id),
            work_request::Message::Started(started) => self.started.lock().unwrap().push(started.task_id),
            work_request::Message::Finished(finished) => {
                let said = self.said.fetch_add(1, Ordering::SeqCst) + 1;
                let ack = AckTask {
                    task_id: finished.task_id.clone(),
                    token: finished.token,
                };
                self.outcome.send(finished).await.unwrap();
                let outbound = self.outbound.lock().unwrap().clone();
                if let Some(outbound) = outbound.filter(|_| said >= self.acknowledge_from.load(Ordering::SeqCst)) {
                    drop(outbound.send(Ok(response(work_response::Message::Ack(ack)))).await);
                }
            }
        }
    }
}

#[tonic::async_trait]
impl WorkerService for Scheduler {
    type WorkStream = ReceiverStream<Result<WorkResponse, Status>>;

    async fn work(&self, request: Request<Streaming<WorkRequest>>) -> Result<Response<Self::WorkStream>, Status> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Status::unavailable("refused"));
        }
        let mut requests = request.into_inner();
        let (outbound, responses) = mpsc::channel(QUEUE);
        let welcome = Welcome {
            lease_ms: 500,
            heartbeat_ms: 20,
        };
        outbound
            .send(Ok(response(work_response::Message::Welcome(welcome))))
            .await
            .unwrap();
        *self.outbound.lock().unwrap() = Some(outbound);
        let itself = self.clone();
        self.hearing.lock().unwrap().spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                itself.hear(request.message.unwrap()).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(responses)))
    }

    async fn upload_logs(
        &self,
        request: Request<Streaming<UploadLogsRequest>>,
    ) -> Result<Response<UploadLogsResponse>, Status> {
        let mut requests = request.into_inner();
        while let Some(part) = requests.message().await? {
            let chunks = part.chunks.into_iter().map(|chunk| (chunk.stream(), chunk.data));
            self.logs.lock().unwrap().extend(chunks);
        }
        Ok(Response::new(UploadLogsResponse {}))
    }
}

fn response(message: work_response::Message) -> WorkResponse {
    WorkResponse { message: Some(message) }
}
