//! `SchedulerClockService`.

use std::time::Duration;

use tokio::sync::oneshot;
use tonic::{Request, Response, Status};
use treenail_proto::internal::v1::{
    GetSchedulerClockRequest, GetSchedulerClockResponse, SetSchedulerClockRequest, SetSchedulerClockResponse,
    scheduler_clock_service_server::SchedulerClockService,
};
use treenail_rpc::{Fault, Reason};

use super::Api;
use crate::{
    codec::{from_proto_time, to_proto_time},
    error::Error,
    scheduler::Event,
    store::Store,
};

/// How long a moved clock waits for the properties-store to have the properties of what started on the way.
const SEEDED_PATIENCE: Duration = Duration::from_secs(5);

#[tonic::async_trait]
impl<S: Store> SchedulerClockService for Api<S> {
    async fn set_scheduler_clock(
        &self,
        request: Request<SetSchedulerClockRequest>,
    ) -> Result<Response<SetSchedulerClockResponse>, Status> {
        if !self.clock.is_manual() {
            return Err(Fault::new(Reason::InvalidInputException, "The server's clock is not moved by hand").into());
        }
        if let Some(now) = &request.into_inner().now {
            let (reply, done) = oneshot::channel();
            self.scheduler
                .send(Event::SetClock {
                    to: from_proto_time(now),
                    reply,
                })
                .await?;
            let seeded = done.await.map_err(|_| Error::Stopping)?;
            // What fell due can be asked for its properties then; the clock has moved in any case.
            let _late = tokio::time::timeout(SEEDED_PATIENCE, seeded).await;
        }
        Ok(Response::new(SetSchedulerClockResponse {}))
    }

    async fn get_scheduler_clock(
        &self,
        _request: Request<GetSchedulerClockRequest>,
    ) -> Result<Response<GetSchedulerClockResponse>, Status> {
        Ok(Response::new(GetSchedulerClockResponse {
            now: Some(to_proto_time(self.clock.now())),
        }))
    }
}
