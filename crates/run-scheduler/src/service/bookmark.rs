//! `BookmarkService`, and the bookmarks of `JobRunService`.

use tonic::{Request, Response, Status};
use treenail_proto::{
    glue::v1::JobBookmarkEntry,
    ops::v1::{PutJobBookmarkRequest, PutJobBookmarkResponse, bookmark_service_server::BookmarkService},
};
use treenail_rpc::{Caller, Fault, Reason, Scope};

use super::Api;
use crate::{
    codec::{job_run, non_empty},
    error::Error,
    store::{BookmarkRow, Store},
};

/// The state of a bookmark that was reset.
const EMPTY_STATE: &str = "{}";

#[tonic::async_trait]
impl<S: Store> BookmarkService for Api<S> {
    async fn put_job_bookmark(
        &self,
        request: Request<PutJobBookmarkRequest>,
    ) -> Result<Response<PutJobBookmarkResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let row = self.commit_bookmark(&caller.scope, &request).await?;
        let entry = shown(request.job_name(), &row);
        Ok(Response::new(PutJobBookmarkResponse {
            job_bookmark_entry: Some(entry),
        }))
    }
}

impl<S: Store> Api<S> {
    pub(super) async fn bookmark_of(&self, scope: &Scope, job: &str) -> Result<BookmarkRow, Error> {
        // A job that does not exist has no bookmark either, and AWS answers both the same.
        let missing = || {
            Fault::new(
                Reason::EntityNotFoundException,
                format!("Continuation for job {job} not found"),
            )
        };
        let plan = self.job_plan(scope, job).await.map_err(|error| match error {
            Error::Refused(_) => Error::Refused(missing()),
            other => other,
        })?;
        Ok(self.store.bookmark(&plan.uid).await?.ok_or_else(missing)?)
    }

    pub(super) async fn reset_bookmark(&self, scope: &Scope, job: &str) -> Result<BookmarkRow, Error> {
        let before = self.bookmark_of(scope, job).await?;
        let row = BookmarkRow {
            job_uid: before.job_uid,
            version: before.version + 1,
            run: 0,
            attempt: 0,
            run_id: String::new(),
            previous_run_id: String::new(),
            state: EMPTY_STATE.to_owned(),
        };
        self.put(row, before.version).await
    }

    async fn commit_bookmark(&self, scope: &Scope, request: &PutJobBookmarkRequest) -> Result<BookmarkRow, Error> {
        let plan = self.job_plan(scope, request.job_name()).await?;
        let job_run_id = job_run::job_run_id(request.run_id()).map_err(|_| {
            Fault::new(
                Reason::EntityNotFoundException,
                format!("Job run {} not found.", request.run_id()),
            )
        })?;
        let before = self.store.bookmark(&plan.uid).await?;
        let row = BookmarkRow {
            job_uid: plan.uid,
            version: request.expected_version().saturating_add(1),
            run: before.as_ref().map_or(0, |row| row.run) + 1,
            attempt: i32::try_from(job_run_id.attempt()).unwrap_or(i32::MAX),
            run_id: request.run_id().to_owned(),
            previous_run_id: before.map(|row| row.run_id).unwrap_or_default(),
            state: request.job_bookmark().to_owned(),
        };
        self.put(row, request.expected_version()).await
    }

    async fn put(&self, row: BookmarkRow, expected: i32) -> Result<BookmarkRow, Error> {
        if self.store.put_bookmark(row.clone(), expected).await? {
            return Ok(row);
        }
        let found = self.store.bookmark(&row.job_uid).await?.map_or(0, |row| row.version);
        let message = format!(
            "Continuation update failed due to version mismatch. Expected version {expected} but found version {found}"
        );
        Err(Fault::new(Reason::VersionMismatchException, message).into())
    }
}

/// A bookmark as the API shows it.
pub(super) fn shown(job: &str, row: &BookmarkRow) -> JobBookmarkEntry {
    JobBookmarkEntry {
        job_name: Some(job.to_owned()),
        version: Some(row.version),
        run: Some(row.run),
        attempt: Some(row.attempt),
        previous_run_id: non_empty(&row.previous_run_id),
        run_id: non_empty(&row.run_id),
        job_bookmark: Some(row.state.clone()),
    }
}
