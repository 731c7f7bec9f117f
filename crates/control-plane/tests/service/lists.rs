//! Listings: order, pages, tokens and filters (spec §2.7 to §2.10, §2.15, §4.30).

use tonic::{Response, Status};
use treenail_proto::glue::v1::{
    CreateJobRequest, CreateTriggerRequest, GetJobsRequest, GetTriggersRequest, ListJobsRequest, ListTriggersRequest,
    ListWorkflowsRequest, ListWorkflowsResponse,
};
use treenail_rpc::{Caller, Scope};

use crate::{
    words::{job, map, on_demand, refused, text},
    world::World,
};

async fn list(
    world: &World,
    max: Option<i32>,
    token: Option<String>,
) -> Result<Response<ListWorkflowsResponse>, Status> {
    let request = ListWorkflowsRequest {
        next_token: token,
        max_results: max,
    };
    world.workflows().list_workflows(request).await
}

#[tokio::test]
async fn names_come_in_order_and_pages_lead_to_all_of_them() {
    let world = World::start();
    for index in (0..60).rev() {
        world.create_workflow(&format!("w{index:02}")).await;
    }
    let all: Vec<String> = (0..60).map(|index| format!("w{index:02}")).collect();
    // The most that AWS gives is the default as well; more is not given, and a page may change its size on the way.
    for sizes in [
        vec![None],
        vec![Some(1)],
        vec![Some(7), Some(25)],
        vec![Some(25), None, Some(1_000)],
    ] {
        let mut listed = Vec::new();
        let mut token = None;
        for size in sizes.iter().cycle() {
            let page = list(&world, *size, token).await.unwrap().into_inner();
            assert!(page.workflows.len() <= size.unwrap_or(25).min(25).unsigned_abs() as usize);
            listed.extend(page.workflows);
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(listed, all, "{sizes:?}");
    }
}

#[tokio::test]
async fn the_last_page_has_no_token_and_an_empty_one_begins_at_the_first() {
    let world = World::start();
    assert_eq!(
        list(&world, None, None).await.unwrap().into_inner(),
        ListWorkflowsResponse::default()
    );
    for name in ["a", "b"] {
        world.create_workflow(name).await;
    }
    let page = list(&world, Some(2), text("")).await.unwrap().into_inner();
    assert_eq!(
        page,
        ListWorkflowsResponse {
            workflows: vec!["a".to_owned(), "b".to_owned()],
            next_token: None
        }
    );
}

#[tokio::test]
async fn a_token_of_another_listing_is_refused() {
    let world = World::start();
    for name in ["a", "b"] {
        world.create_workflow(name).await;
        world.create_job(name).await;
    }
    let token = list(&world, Some(1), None).await.unwrap().into_inner().next_token;
    assert!(token.is_some());
    let (reason, message) = ("InvalidInputException", "Pagination token is invalid");
    refused(list(&world, None, text("nonsense")).await, reason, message);
    let jobs = ListJobsRequest {
        next_token: token.clone(),
        ..ListJobsRequest::default()
    };
    refused(world.jobs().list_jobs(jobs).await, reason, message);
    let elsewhere = Caller::new(Scope {
        region: "eu-west-1".to_owned(),
        ..Scope::default()
    });
    let request = elsewhere.request(ListWorkflowsRequest {
        next_token: token,
        max_results: None,
    });
    refused(world.workflows().list_workflows(request).await, reason, message);
    let tagged = |tags, next_token| ListJobsRequest {
        tags,
        next_token,
        max_results: Some(1),
    };
    let token = world
        .jobs()
        .list_jobs(tagged(map(&[]), None))
        .await
        .unwrap()
        .into_inner()
        .next_token;
    refused(
        world.jobs().list_jobs(tagged(map(&[("k", "v")]), token)).await,
        reason,
        message,
    );
}

#[tokio::test]
async fn a_listing_keeps_what_has_all_the_tags() {
    let world = World::start();
    for (name, tags) in [
        ("a", vec![("k", "v"), ("l", "w")]),
        ("b", vec![("k", "v")]),
        ("c", vec![]),
    ] {
        world
            .jobs()
            .create_job(CreateJobRequest {
                tags: map(&tags),
                ..job(name, "glueetl")
            })
            .await
            .unwrap();
        let trigger = CreateTriggerRequest {
            tags: map(&tags),
            ..on_demand(name, None, &["j"])
        };
        world.create_trigger(trigger).await;
    }
    for (tags, expected) in [
        (vec![], vec!["a", "b", "c"]),
        (vec![("k", "v")], vec!["a", "b"]),
        (vec![("k", "v"), ("l", "w")], vec!["a"]),
        (vec![("k", "other")], vec![]),
    ] {
        let request = ListJobsRequest {
            tags: map(&tags),
            ..ListJobsRequest::default()
        };
        assert_eq!(
            world.jobs().list_jobs(request).await.unwrap().into_inner().job_names,
            expected
        );
        let request = ListTriggersRequest {
            tags: map(&tags),
            ..ListTriggersRequest::default()
        };
        assert_eq!(
            world
                .triggers()
                .list_triggers(request)
                .await
                .unwrap()
                .into_inner()
                .trigger_names,
            expected
        );
    }
}

#[tokio::test]
async fn triggers_are_found_by_the_job_that_they_start() {
    let world = World::start();
    for (name, jobs) in [("a", ["x", "y"]), ("b", ["y", "z"]), ("c", ["z", "z"])] {
        world.create_trigger(on_demand(name, None, &jobs)).await;
    }
    // When no trigger starts the job, all are listed.
    for (job, expected) in [
        ("x", vec!["a"]),
        ("y", vec!["a", "b"]),
        ("z", vec!["b", "c"]),
        ("-", vec!["a", "b", "c"]),
    ] {
        let request = ListTriggersRequest {
            dependent_job_name: text(job),
            ..ListTriggersRequest::default()
        };
        assert_eq!(
            world
                .triggers()
                .list_triggers(request)
                .await
                .unwrap()
                .into_inner()
                .trigger_names,
            expected
        );
        let mut found = Vec::new();
        let mut next_token = None;
        loop {
            let request = GetTriggersRequest {
                dependent_job_name: text(job),
                max_results: Some(1),
                next_token,
            };
            let page = world.triggers().get_triggers(request).await.unwrap().into_inner();
            found.extend(page.triggers.into_iter().filter_map(|trigger| trigger.name));
            next_token = page.next_token;
            if next_token.is_none() {
                break;
            }
        }
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_page_of_large_definitions_fits_into_a_message() {
    let world = World::start();
    let large = "x".repeat(700_000);
    for name in ["a", "b", "c", "d", "e"] {
        let request = CreateJobRequest {
            default_arguments: map(&[("--a", &large)]),
            ..job(name, "glueetl")
        };
        world.jobs().create_job(request).await.unwrap();
    }
    let mut pages = Vec::new();
    let mut next_token = None;
    loop {
        let request = GetJobsRequest {
            next_token,
            max_results: None,
        };
        let page = world.jobs().get_jobs(request).await.unwrap().into_inner();
        pages.push(
            page.jobs
                .into_iter()
                .filter_map(|job| job.name)
                .collect::<Vec<_>>()
                .concat(),
        );
        next_token = page.next_token;
        if next_token.is_none() {
            break;
        }
    }
    assert_eq!(pages, ["ab", "cd", "e"]);
}

#[tokio::test]
async fn a_name_that_no_token_could_hold_is_refused() {
    let world = World::start();
    let refusal = "A name has 1 to 1020 bytes";
    for name in [String::new(), "x".repeat(1_021)] {
        refused(
            world.jobs().create_job(job(&name, "glueetl")).await,
            "InvalidInputException",
            refusal,
        );
    }
    let longest = ["a", "b"].map(|last| format!("{}{last}", "\u{1F6A2}".repeat(254)));
    for name in &longest {
        world.create_job(name).await;
    }
    let request = ListJobsRequest {
        max_results: Some(1),
        ..ListJobsRequest::default()
    };
    let page = world.jobs().list_jobs(request).await.unwrap().into_inner();
    let request = ListJobsRequest {
        next_token: page.next_token,
        ..ListJobsRequest::default()
    };
    assert_eq!(
        world.jobs().list_jobs(request).await.unwrap().into_inner().job_names,
        longest[1..]
    );
}
