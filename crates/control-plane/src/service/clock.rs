//! `treenail.ops.v1.ClockService`.

use tonic::{Request, Response, Status};
use treenail_proto::ops::v1::{
    AdvanceClockRequest, AdvanceClockResponse, GetClockRequest, GetClockResponse, clock_service_server::ClockService,
};

use super::{Services, open};
use crate::{codec, error::Error, store::Store};

/// The longest step, in milliseconds: 366 days.
const STEP_MAX_MS: i64 = 366 * 24 * 60 * 60 * 1_000;

#[tonic::async_trait]
impl<S: Store> ClockService for Services<S> {
    async fn get_clock(&self, request: Request<GetClockRequest>) -> Result<Response<GetClockResponse>, Status> {
        let (caller, _) = open(request)?;
        let response = GetClockResponse {
            now: Some(codec::timestamp(self.catalog.now(&caller).await?)),
            manual: Some(self.catalog.clock.is_manual()),
        };
        Ok(Response::new(response))
    }

    async fn advance_clock(
        &self,
        request: Request<AdvanceClockRequest>,
    ) -> Result<Response<AdvanceClockResponse>, Status> {
        let (caller, request) = open(request)?;
        let step_ms = request
            .milliseconds
            .filter(|step_ms| (1..=STEP_MAX_MS).contains(step_ms));
        let step_ms = step_ms.ok_or_else(|| Error::invalid(format!("A step takes 1 to {STEP_MAX_MS} milliseconds")))?;
        let now = self.catalog.advance_clock(&caller, step_ms).await?;
        Ok(Response::new(AdvanceClockResponse {
            now: Some(codec::timestamp(now)),
        }))
    }
}
