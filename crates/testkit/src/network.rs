//! What lies between the processes: calls and streams that are late, lost, repeated and cut off.

mod line;

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::time::sleep;
use tonic::{Status, body::Body};
use tower::{ServiceExt as _, service_fn, util::BoxCloneSyncService};
use treenail_rpc::Channel;

use self::line::Line;
use crate::{
    node::{Incarnation, Node},
    random::Random,
};

/// How long a caller waits for an answer that was lost.
const LOST_MS_MAX: u64 = 2_000;
/// The calls whose requests and answers are streams of messages.
const STREAMING: [&str; 2] = [
    "/treenail.worker.v1.WorkerService/Work",
    "/treenail.ops.v1.LogService/TailLogs",
];

/// How bad the network is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weather {
    /// How long a message takes at the most, in milliseconds.
    pub delay_ms_max: u64,
    /// How many of a thousand messages take much longer.
    pub late: u64,
    /// How long these take at the most, in milliseconds.
    pub late_ms_max: u64,
    /// How many of a thousand requests do not arrive.
    pub lost_request: u64,
    /// How many of a thousand answers do not arrive.
    pub lost_answer: u64,
    /// How many of a thousand requests arrive twice.
    pub repeated: u64,
    /// How many of a thousand messages of a stream cut it off.
    pub cut: u64,
}

/// The network between all processes; clones are the same one.
#[derive(Debug, Clone)]
pub struct Network {
    random: Random,
    weather: Arc<Mutex<Weather>>,
    faults: Arc<AtomicU64>,
}

impl Network {
    /// A network without faults.
    #[must_use]
    pub fn new(random: Random) -> Network {
        Network {
            random,
            weather: Arc::default(),
            faults: Arc::default(),
        }
    }

    /// Changes how bad it is.
    pub fn set_weather(&self, weather: Weather) {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// How many faults it has had.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    /// A channel to a process over this network.
    #[must_use]
    pub fn channel_to(&self, node: &Node) -> Channel {
        let (network, node) = (self.clone(), node.clone());
        let calls = service_fn(move |request: Request<Body>| {
            let (network, node) = (network.clone(), node.clone());
            async move { network.call(&node, request).await }
        });
        BoxCloneSyncService::new(calls)
    }

    async fn call(&self, node: &Node, request: Request<Body>) -> Result<Response<Body>, Status> {
        sleep(self.delay()).await;
        if self.strikes(|weather| weather.lost_request) {
            sleep(self.random.up_to_ms(LOST_MS_MAX)).await;
            return Err(Status::unavailable("the request was lost"));
        }
        let Some(incarnation) = node.current() else {
            sleep(self.random.up_to_ms(50)).await;
            return Err(Status::unavailable(format!("{} is down", node.name())));
        };
        if STREAMING.contains(&request.uri().path()) {
            return self.stream(&incarnation, request).await;
        }
        let request = Whole::read(request).await?;
        if self.strikes(|weather| weather.repeated) {
            let (network, node, copy) = (self.clone(), node.clone(), request.clone());
            // Goes its own way, perhaps to a later incarnation, and nobody waits for what it gives.
            drop(tokio::spawn(async move {
                sleep(network.random.up_to_ms(LOST_MS_MAX)).await;
                if let Some(incarnation) = node.current() {
                    drop(ask(&incarnation, copy).await);
                }
            }));
        }
        let answer = ask(&incarnation, request).await?;
        if self.strikes(|weather| weather.lost_answer) {
            sleep(self.random.up_to_ms(LOST_MS_MAX)).await;
            return Err(Status::unavailable("the answer was lost"));
        }
        sleep(self.delay()).await;
        Ok(answer)
    }

    async fn stream(&self, incarnation: &Incarnation, request: Request<Body>) -> Result<Response<Body>, Status> {
        let request = request.map(|body| Line::over(body, self.clone(), incarnation.crashed.clone()));
        let call = incarnation.channel.clone().oneshot(request);
        let response = incarnation
            .crashed
            .run_until_cancelled(call)
            .await
            .unwrap_or_else(|| Err(crashed()))?;
        Ok(response.map(|body| Line::over(body, self.clone(), incarnation.crashed.clone())))
    }

    /// How long a message takes.
    fn delay(&self) -> Duration {
        let weather = self.weather();
        if weather.late > 0 && self.strikes(|weather| weather.late) {
            return self.random.up_to_ms(weather.late_ms_max);
        }
        self.random.up_to_ms(weather.delay_ms_max)
    }

    /// Whether a stream is cut off.
    fn cuts(&self) -> bool {
        self.strikes(|weather| weather.cut)
    }

    fn strikes(&self, per_mille: impl Fn(Weather) -> u64) -> bool {
        let per_mille = per_mille(self.weather());
        let strikes = per_mille > 0 && self.random.happens(per_mille);
        if strikes {
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
        strikes
    }

    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that can be sent twice.
#[derive(Debug, Clone)]
struct Whole {
    head: http::request::Parts,
    body: Bytes,
}

impl Whole {
    async fn read(request: Request<Body>) -> Result<Whole, Status> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Whole { head, body })
    }

    fn request(self) -> Request<Body> {
        Request::from_parts(
            self.head,
            Body::new(Full::new(self.body).map_err(|never: Infallible| match never {})),
        )
    }
}

/// Asks a process, and reads its whole answer: what it has not said when it crashes is not heard.
async fn ask(incarnation: &Incarnation, request: Whole) -> Result<Response<Body>, Status> {
    let asked = async {
        let response = incarnation.channel.clone().oneshot(request.request()).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?;
        Ok(Response::from_parts(
            head,
            Body::new(body.map_err(|never: Infallible| match never {})),
        ))
    };
    incarnation
        .crashed
        .run_until_cancelled(asked)
        .await
        .unwrap_or_else(|| Err(crashed()))
}

fn crashed() -> Status {
    Status::unavailable("the process crashed")
}
