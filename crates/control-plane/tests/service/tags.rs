//! Tags: spec §15.

use std::collections::BTreeMap;

use treenail_proto::glue::v1::{
    CreateWorkflowRequest, DeleteWorkflowRequest, GetTagsRequest, TagResourceRequest, UntagResourceRequest,
};

use crate::{
    words::{map, on_demand, refused, text},
    world::World,
};

const II: &str = "InvalidInputException";

fn arn(path: &str) -> Option<String> {
    Some(format!("arn:aws:glue:us-east-1:000000000000:{path}"))
}

async fn tags(world: &World, path: &str) -> BTreeMap<String, String> {
    let response = world
        .tags()
        .get_tags(GetTagsRequest {
            resource_arn: arn(path),
        })
        .await;
    response.expect("the resource exists").into_inner().tags
}

async fn tag(world: &World, path: &str, added: &[(&str, &str)]) {
    let request = TagResourceRequest {
        resource_arn: arn(path),
        tags_to_add: map(added),
    };
    world
        .tags()
        .tag_resource(request)
        .await
        .expect("the tags keep the rules");
}

#[tokio::test]
async fn an_untagged_resource_has_no_tags_and_that_is_no_error() {
    let world = World::start();
    world.create_workflow("w").await;
    world.create_trigger(on_demand("t", None, &["j"])).await;
    world.create_job("j").await;
    for path in ["workflow/w", "trigger/t", "job/j"] {
        assert_eq!(tags(&world, path).await, map(&[]));
    }
}

#[tokio::test]
async fn tags_are_added_replaced_and_taken_off() {
    let world = World::start();
    let request = CreateWorkflowRequest {
        name: text("w"),
        tags: map(&[("a", "1"), ("b", "2")]),
        ..Default::default()
    };
    world.workflows().create_workflow(request).await.unwrap();
    tag(&world, "workflow/w", &[("b", "3"), ("c", "")]).await;
    assert_eq!(
        tags(&world, "workflow/w").await,
        map(&[("a", "1"), ("b", "3"), ("c", "")])
    );
    let tags_to_remove = vec!["a".to_owned(), "never there".to_owned()];
    let request = UntagResourceRequest {
        resource_arn: arn("workflow/w"),
        tags_to_remove,
    };
    world.tags().untag_resource(request).await.unwrap();
    assert_eq!(tags(&world, "workflow/w").await, map(&[("b", "3"), ("c", "")]));
}

#[tokio::test]
async fn tags_go_with_their_resource_and_do_not_come_back() {
    let world = World::start();
    world.create_workflow("w").await;
    tag(&world, "workflow/w", &[("a", "1")]).await;
    world
        .workflows()
        .delete_workflow(DeleteWorkflowRequest { name: text("w") })
        .await
        .unwrap();
    let gone = world
        .tags()
        .get_tags(GetTagsRequest {
            resource_arn: arn("workflow/w"),
        })
        .await;
    refused(gone, "EntityNotFoundException", "Entity not found");
    world.create_workflow("w").await;
    assert_eq!(tags(&world, "workflow/w").await, map(&[]));
}

#[tokio::test]
async fn a_change_of_a_trigger_keeps_its_tags() {
    let world = World::start();
    world.create_job("j").await;
    tag(&world, "job/j", &[("a", "1")]).await;
    let update = treenail_proto::glue::v1::UpdateJobRequest {
        job_name: text("j"),
        job_update: Some(Default::default()),
    };
    world.jobs().update_job(update).await.unwrap();
    assert_eq!(tags(&world, "job/j").await, map(&[("a", "1")]));
}

#[tokio::test]
async fn what_is_no_resource_is_refused() {
    let world = World::start();
    world.create_workflow("w").await;
    let get = |arn: &str| {
        let (mut client, request) = (
            world.tags(),
            GetTagsRequest {
                resource_arn: text(arn),
            },
        );
        async move { client.get_tags(request).await }
    };
    let bad = "arn:aws:glue:us-east-1:000000000000:workflow";
    refused(
        get(bad).await,
        II,
        &format!("{bad} is not the ARN of an AWS Glue resource"),
    );
    for missing in [
        "arn:aws:glue:us-east-1:000000000000:workflow/v",
        "arn:aws:glue:us-east-1:000000000000:job/w",
        "arn:aws:glue:us-east-1:000000000000:crawler/w",
        "arn:aws:glue:eu-west-1:000000000000:workflow/w",
        "arn:aws:glue:us-east-1:123456789012:workflow/w",
    ] {
        refused(get(missing).await, "EntityNotFoundException", "Entity not found");
    }
    // A client that does not know its account leaves it out.
    get("arn:aws:glue:us-east-1::workflow/w").await.unwrap();
}

#[tokio::test]
async fn a_resource_has_fifty_tags_at_most_and_none_of_awss() {
    let world = World::start();
    world.create_job("j").await;
    let many = |from: usize, to: usize| -> BTreeMap<String, String> {
        (from..to)
            .map(|index| (format!("k{index:02}"), String::new()))
            .collect()
    };
    let add = |tags_to_add| {
        let (mut client, request) = (
            world.tags(),
            TagResourceRequest {
                resource_arn: arn("job/j"),
                tags_to_add,
            },
        );
        async move { client.tag_resource(request).await }
    };
    add(many(0, 50)).await.unwrap();
    add(many(20, 50)).await.unwrap();
    refused(add(many(50, 51)).await, II, "New Tags cannot be empty or more than 50");
    let reserved = "Tag key AWS:mine is reserved: keys cannot start with aws:";
    refused(add(map(&[("AWS:mine", "")])).await, II, reserved);
    let request = CreateWorkflowRequest {
        name: text("w"),
        tags: map(&[("AWS:mine", "")]),
        ..Default::default()
    };
    refused(world.workflows().create_workflow(request).await, II, reserved);
}
