//! `treenail.glue.v1.TagService`.

use tonic::{Request, Response, Status};
use treenail_proto::glue::v1::{
    GetTagsRequest, GetTagsResponse, TagResourceRequest, TagResourceResponse, UntagResourceRequest,
    UntagResourceResponse, tag_service_server::TagService,
};

use super::{Services, open};
use crate::store::Store;

#[tonic::async_trait]
impl<S: Store> TagService for Services<S> {
    async fn tag_resource(
        &self,
        request: Request<TagResourceRequest>,
    ) -> Result<Response<TagResourceResponse>, Status> {
        let (caller, request) = open(request)?;
        let arn = request.resource_arn.unwrap_or_default();
        self.catalog.tag_resource(&caller, &arn, request.tags_to_add).await?;
        Ok(Response::new(TagResourceResponse {}))
    }

    async fn untag_resource(
        &self,
        request: Request<UntagResourceRequest>,
    ) -> Result<Response<UntagResourceResponse>, Status> {
        let (caller, request) = open(request)?;
        let arn = request.resource_arn.unwrap_or_default();
        self.catalog
            .untag_resource(&caller, &arn, &request.tags_to_remove)
            .await?;
        Ok(Response::new(UntagResourceResponse {}))
    }

    async fn get_tags(&self, request: Request<GetTagsRequest>) -> Result<Response<GetTagsResponse>, Status> {
        let (caller, request) = open(request)?;
        let tags = self
            .catalog
            .resource_tags(&caller, &request.resource_arn.unwrap_or_default())
            .await?;
        Ok(Response::new(GetTagsResponse { tags }))
    }
}
