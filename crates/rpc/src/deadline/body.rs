//! A response body that ends with an error at a deadline.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body as _, Frame, SizeHint};
use prost::bytes::Bytes;
use tokio::time::{Instant, Sleep};
use tonic::{Status, body::Body};

use super::timed_out;

/// The body, for as long as the deadline has not passed.
pub(super) fn until(deadline: Instant, body: Body) -> Body {
    if body.is_end_stream() {
        body
    } else {
        Body::new(Until {
            body,
            deadline,
            timer: None,
        })
    }
}

struct Until {
    body: Body,
    deadline: Instant,
    /// Set when the body first keeps us waiting, which in-process answers never do.
    timer: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Until {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let deadline = self.deadline;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        timer.as_mut().poll(cx).map(|()| Some(Err(timed_out())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
