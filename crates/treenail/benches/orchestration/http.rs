//! AWS's JSON over plain HTTP/1.1, with as little work for the client as there can be: it shares the cores.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// How many connections there are.
pub(crate) const CONNECTIONS: u64 = 64;
/// How long a rate is measured.
const MEASURED: Duration = Duration::from_secs(3);

/// How many requests were made: each has an invocation id of its own, as the SDKs send it.
static INVOCATIONS: AtomicU64 = AtomicU64::new(0);

/// A request for an operation.
pub(crate) fn request(target: &str, body: &str) -> Vec<u8> {
    let invocation = INVOCATIONS.fetch_add(1, Ordering::Relaxed);
    format!(
        "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-amz-target: {target}\r\namz-sdk-invocation-id: {invocation:036}\r\n\
         content-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Connection {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Connection {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Asks and gives back the status and the body.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> (u16, Vec<u8>) {
        self.stream.write_all(request).await.unwrap();
        self.buffer.clear();
        loop {
            let count = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(count > 0, "the server ended the connection");
            let Some(head_end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(&self.buffer[..head_end]).unwrap();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            });
            let length: usize = length.unwrap();
            if self.buffer.len() >= head_end + 4 + length {
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
                return (status, self.buffer[head_end + 4..].to_vec());
            }
        }
    }
}

/// How many requests a second are answered well, at all connections; each sends what is made of its number.
pub(crate) async fn rate(address: &str, request: impl Fn(u64) -> Vec<u8> + Clone + Send + 'static) -> f64 {
    let answered = Arc::new(AtomicU64::new(0));
    let mut connections = JoinSet::new();
    let until = Instant::now() + MEASURED;
    for number in 0..CONNECTIONS {
        let (answered, request, address) = (Arc::clone(&answered), request.clone(), address.to_owned());
        connections.spawn(async move {
            let mut connection = Connection::open(&address).await;
            while Instant::now() < until {
                let (status, body) = connection.ask(&request(number)).await;
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while let Some(ended) = connections.join_next().await {
        ended.unwrap();
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let count = answered.load(Ordering::Relaxed) as f64;
    count / MEASURED.as_secs_f64()
}

/// Sends so many requests, over all connections, and waits for their answers.
pub(crate) async fn repeat(address: &str, count: u64, request: impl Fn() -> Vec<u8> + Clone + Send + 'static) {
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (address, request) = (address.to_owned(), request.clone());
        connections.spawn(async move {
            let mut connection = Connection::open(&address).await;
            for _ in 0..count.div_ceil(CONNECTIONS) {
                let (status, body) = connection.ask(&request()).await;
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
            }
        });
    }
    while let Some(ended) = connections.join_next().await {
        ended.unwrap();
    }
}
