//! What the machine can do at all.

use std::{
    env,
    fs::File,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{http, quantile, server::Server};

const SYNCS: usize = 400;
const CALLS: usize = 2_000;
const BYTES: [u8; 300] = [7; 300];
/// Names the address at which this program is the trivial server.
const TRIVIAL: &str = "TREENAIL_BENCH_TRIVIAL_SERVER";

/// What everything else is measured against.
#[derive(Debug)]
pub(crate) struct Baseline {
    /// F.
    pub(crate) sync: Duration,
    /// G.
    pub(crate) call: Duration,
    /// H.
    pub(crate) requests_per_second: f64,
}

impl Baseline {
    pub(crate) async fn measure() -> Baseline {
        Baseline {
            sync: sync(),
            call: call().await,
            requests_per_second: requests().await,
        }
    }
}

fn sync() -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::create(folder.path().join("appended")).unwrap();
    let mut times: Vec<Duration> = (0..SYNCS)
        .map(|_| {
            let began = Instant::now();
            file.write_all(&BYTES).unwrap();
            file.sync_data().unwrap();
            began.elapsed()
        })
        .collect();
    quantile(&mut times, 0.5)
}

async fn call() -> Duration {
    let server = Server::start(0);
    let mut client = HealthClient::new(treenail_rpc::connect(server.grpc()));
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = Instant::now();
        client.check(HealthCheckRequest::default()).await.unwrap();
        times.push(began.elapsed());
    }
    quantile(&mut times, 0.5)
}

async fn requests() -> f64 {
    let address = format!("127.0.0.1:{}", crate::server::free_port());
    let mut trivial = Command::new(env::current_exe().unwrap())
        .env(TRIVIAL, &address)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while TcpStream::connect(&address).is_err() {
        thread::yield_now();
    }
    let rate = http::rate(&address, |_| http::request("AWSGlue.Trivial", "{\"Name\":\"flow\"}")).await;
    trivial.kill().unwrap();
    trivial.wait().unwrap();
    rate
}

/// Where this process is the trivial server, if it is.
pub(crate) fn trivial_server_address() -> Option<String> {
    env::var(TRIVIAL).ok()
}

/// Answers every request with the same JSON: a thread a connection, and nothing but the reading of heads and lengths.
pub(crate) fn serve_trivially(address: &str) {
    let listener = TcpListener::bind(address).unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        stream.set_nodelay(true).unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 4_096];
            // The requests of this benchmark arrive whole.
            while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                let parsed: serde_json::Value = body(&buffer).unwrap_or_default();
                let answer = serde_json::json!({ "RunId": parsed["Name"] }).to_string();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
                    answer.len()
                );
                if stream.write_all((head + &answer).as_bytes()).is_err() {
                    return;
                }
            }
        });
    }
}

fn body(request: &[u8]) -> Option<serde_json::Value> {
    let text = std::str::from_utf8(request).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    serde_json::from_str(body.trim_end_matches('\0')).ok()
}
