//! One direction of a stream: its messages keep their order, and nothing else is sure.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Status, body::Body};

use super::Network;

/// One direction of a stream.
pub(super) struct Line {
    body: Body,
    network: Network,
    crashed: Pin<Box<WaitForCancellationFutureOwned>>,
    /// A message that is under way.
    under_way: Option<(Frame<Bytes>, Pin<Box<Sleep>>)>,
    has_ended: bool,
}

impl Line {
    /// Puts a stream onto the network; it breaks when the process at its end crashes.
    pub(super) fn over(body: Body, network: Network, crashed: CancellationToken) -> Body {
        Body::new(Line {
            body,
            network,
            crashed: Box::pin(crashed.cancelled_owned()),
            under_way: None,
            has_ended: false,
        })
    }

    fn end(&mut self) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.has_ended = true;
        Poll::Ready(Some(Err(Status::unavailable("the stream was cut off"))))
    }
}

impl http_body::Body for Line {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if self.crashed.as_mut().poll(context).is_ready() {
            return self.end();
        }
        if self.under_way.is_none() {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else {
                self.has_ended = true;
                return Poll::Ready(None);
            };
            if self.network.cuts() {
                return self.end();
            }
            let delay = self.network.delay();
            self.under_way = Some((frame?, Box::pin(sleep(delay))));
        }
        if let Some((_, delay)) = &mut self.under_way {
            ready!(delay.as_mut().poll(context));
        }
        Poll::Ready(self.under_way.take().map(|(frame, _)| Ok(frame)))
    }
}
