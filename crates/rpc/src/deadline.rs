//! The deadline of every unary call, on the side that calls and on the side that answers.
//!
//! A call without a `grpc-timeout` gets [`CALL_DEADLINE`]; one with it gets that, up to [`CALL_DEADLINE_MAX`].
//! Streams are exempt, because a worker's stream is open for days; whoever reads one owes it a heartbeat.

mod body;
mod grpc_timeout;
mod streaming;

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use tokio::time::Instant;
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::{
    fault::Fault,
    limits::{CALL_DEADLINE, CALL_DEADLINE_MAX},
    reason::Reason,
};

/// Ends unary calls at their deadline with `OperationTimeoutException`.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLayer {
    tells_server: bool,
}

impl DeadlineLayer {
    /// For a server, or for calls within the process: only watches.
    #[must_use]
    pub const fn watching() -> DeadlineLayer {
        DeadlineLayer { tells_server: false }
    }

    /// For calls that leave the process: also tells the server the deadline, so that it stops when nobody waits.
    #[must_use]
    pub const fn telling_server() -> DeadlineLayer {
        DeadlineLayer { tells_server: true }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline {
            inner,
            tells_server: self.tells_server,
        }
    }
}

/// A service whose unary calls end at their deadline.
#[derive(Clone, Debug)]
pub struct Deadline<S> {
    inner: S,
    tells_server: bool,
}

impl<S> Service<Request<Body>> for Deadline<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if streaming::is_streaming(request.uri().path()) {
            return Box::pin(self.inner.call(request));
        }
        let allowed = time_allowed(&request);
        if self.tells_server {
            grpc_timeout::write(request.headers_mut(), allowed);
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let deadline = Instant::now() + allowed;
            match tokio::time::timeout_at(deadline, answer).await {
                Ok(answer) => answer.map(|response| response.map(|body| body::until(deadline, body))),
                Err(_elapsed) => Ok(timed_out().into_http()),
            }
        })
    }
}

fn time_allowed(request: &Request<Body>) -> Duration {
    grpc_timeout::read(request.headers()).map_or(CALL_DEADLINE, |named| named.min(CALL_DEADLINE_MAX))
}

fn timed_out() -> Status {
    Fault::new(Reason::OperationTimeoutException, "The operation timed out.").into()
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use http::{HeaderMap, Request, Response};
    use tonic::{Code, Status, body::Body};
    use tower::{Layer as _, ServiceExt as _, service_fn};

    use super::{DeadlineLayer, grpc_timeout};
    use crate::limits::{CALL_DEADLINE, CALL_DEADLINE_MAX};

    const UNARY: &str = "/treenail.glue.v1.RunPropertiesService/GetWorkflowRunProperties";

    fn request(timeout: Option<Duration>) -> Request<Body> {
        let mut request = Request::builder().uri(UNARY).body(Body::empty()).unwrap();
        if let Some(timeout) = timeout {
            grpc_timeout::write(request.headers_mut(), timeout);
        }
        request
    }

    async fn never_answers(_: Request<Body>) -> Result<Response<Body>, Infallible> {
        std::future::pending().await
    }

    #[tokio::test]
    async fn a_call_that_is_not_answered_ends_at_its_deadline() {
        let service = DeadlineLayer::watching().layer(service_fn(never_answers));
        let response = service.oneshot(request(Some(Duration::from_millis(5)))).await.unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn an_answer_whose_body_never_comes_ends_at_its_deadline() {
        let service = DeadlineLayer::watching().layer(service_fn(|_| async {
            let (sender, body) = tokio::sync::mpsc::channel::<Result<http_body::Frame<prost::bytes::Bytes>, Status>>(1);
            let body = http_body_util::StreamBody::new(tokio_stream::wrappers::ReceiverStream::new(body));
            // The sender lives as long as the answer, so the body neither yields nor ends.
            let mut response = Response::new(Body::new(body));
            response.extensions_mut().insert(sender);
            Ok::<_, Infallible>(response)
        }));
        let response = service.oneshot(request(Some(Duration::from_millis(5)))).await.unwrap();
        let (_sender, body) = response.into_parts();
        let failure = http_body_util::BodyExt::collect(body).await.unwrap_err();
        assert_eq!(failure.code(), Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn the_server_is_told_the_deadline() {
        let rows = [
            (None, CALL_DEADLINE),
            (Some(Duration::from_millis(1_500)), Duration::from_millis(1_500)),
            (Some(Duration::from_secs(86_400)), CALL_DEADLINE_MAX),
        ];
        for (named, told) in rows {
            let service = DeadlineLayer::telling_server().layer(service_fn(|request: Request<Body>| async move {
                let mut response = Response::new(Body::empty());
                *response.headers_mut() = request.headers().clone();
                Ok::<_, Infallible>(response)
            }));
            let headers: HeaderMap = service.oneshot(request(named)).await.unwrap().into_parts().0.headers;
            assert_eq!(grpc_timeout::read(&headers), Some(told));
        }
    }
}
