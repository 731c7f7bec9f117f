//! Workflows: spec §5.

use treenail_proto::glue::v1::{
    BatchGetWorkflowsRequest, CreateWorkflowRequest, DeleteTriggerRequest, DeleteWorkflowRequest, GetTriggerRequest,
    GetWorkflowRequest, NodeType, UpdateWorkflowRequest, Workflow, WorkflowRun, WorkflowRunStatus,
};
use treenail_rpc::{Caller, Scope};

use crate::{
    words::{conditional, invoked, map, on_demand, refused, text},
    world::{START_MS, World},
};

const II: &str = "InvalidInputException";
const ENF: &str = "EntityNotFoundException";

fn create(name: &str) -> CreateWorkflowRequest {
    CreateWorkflowRequest {
        name: text(name),
        ..CreateWorkflowRequest::default()
    }
}

#[tokio::test]
async fn a_workflow_reads_back_as_it_was_made_and_nothing_else() {
    let world = World::start();
    let request = CreateWorkflowRequest {
        description: text("monthly"),
        default_run_properties: map(&[("month", "01")]),
        max_concurrent_runs: Some(3),
        ..create("sales flow")
    };
    let response = world.workflows().create_workflow(request).await.unwrap().into_inner();
    assert_eq!(response.name, text("sales flow"));
    let now = Some(prost_types::Timestamp {
        seconds: START_MS / 1_000,
        nanos: 123_000_000,
    });
    let request = GetWorkflowRequest {
        name: text("sales flow"),
        include_graph: None,
    };
    let found = world
        .workflows()
        .get_workflow(request)
        .await
        .unwrap()
        .into_inner()
        .workflow
        .unwrap();
    let expected = Workflow {
        name: text("sales flow"),
        description: text("monthly"),
        default_run_properties: map(&[("month", "01")]),
        created_on: now,
        last_modified_on: now,
        max_concurrent_runs: Some(3),
        ..Workflow::default()
    };
    assert_eq!(found, expected);
    assert_eq!(world.last_subject(), "workflow sales flow []");
}

#[tokio::test]
async fn a_name_is_taken_once_for_each_account_and_region() {
    let world = World::start();
    world.create_workflow("w").await;
    let again = world.workflows().create_workflow(create("w")).await;
    refused(again, "AlreadyExistsException", "Workflow with name w already exists.");
    world.create_workflow("W").await;
    let elsewhere = Caller::new(Scope {
        region: "eu-west-1".to_owned(),
        ..Scope::default()
    });
    world
        .workflows()
        .create_workflow(elsewhere.request(create("w")))
        .await
        .unwrap();
    assert_eq!(world.last_plan().region, "eu-west-1");
}

#[tokio::test]
async fn a_creation_that_the_client_sends_again_is_one_creation() {
    let world = World::start();
    for _ in 0..2 {
        world
            .workflows()
            .create_workflow(invoked("call-1", create("w")))
            .await
            .unwrap();
    }
    let other = world.workflows().create_workflow(invoked("call-2", create("w"))).await;
    refused(other, "AlreadyExistsException", "Workflow with name w already exists.");
}

#[tokio::test]
async fn a_limit_of_runs_is_at_least_one() {
    let world = World::start();
    world.create_workflow("w").await;
    let message = "MaxConcurrentRuns should be greater than or equal to 1 if present.";
    for max in [0, -1] {
        let request = CreateWorkflowRequest {
            max_concurrent_runs: Some(max),
            ..create("v")
        };
        refused(world.workflows().create_workflow(request).await, II, message);
        let request = UpdateWorkflowRequest {
            name: text("w"),
            max_concurrent_runs: Some(max),
            ..UpdateWorkflowRequest::default()
        };
        refused(world.workflows().update_workflow(request).await, II, message);
    }
}

#[tokio::test]
async fn an_update_replaces_the_whole_definition() {
    let world = World::start();
    let request = CreateWorkflowRequest {
        description: text("old"),
        default_run_properties: map(&[("a", "1")]),
        max_concurrent_runs: Some(1),
        tags: map(&[("team", "x")]),
        ..create("w")
    };
    world.workflows().create_workflow(request).await.unwrap();
    world.create_trigger(on_demand("t", Some("w"), &["j"])).await;
    world
        .clock
        .set(treenail_schedule::Timestamp::from_millis(START_MS + 5_000));
    let request = UpdateWorkflowRequest {
        name: text("w"),
        default_run_properties: map(&[("b", "2")]),
        ..UpdateWorkflowRequest::default()
    };
    world.workflows().update_workflow(request).await.unwrap();
    assert_eq!(world.last_subject(), "workflow w [t]");
    let found = world.workflow("w").await;
    assert_eq!((found.description, found.max_concurrent_runs), (None, None));
    assert_eq!(found.default_run_properties, map(&[("b", "2")]));
    assert_eq!(
        found.last_modified_on.unwrap().seconds - found.created_on.unwrap().seconds,
        5
    );
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_but_deleted_already() {
    let world = World::start();
    let get = GetWorkflowRequest {
        name: text("w"),
        include_graph: None,
    };
    refused(world.workflows().get_workflow(get).await, ENF, "Entity not found");
    let update = UpdateWorkflowRequest {
        name: text("w"),
        ..UpdateWorkflowRequest::default()
    };
    refused(world.workflows().update_workflow(update).await, ENF, "Entity not found");
    let deleted = world
        .workflows()
        .delete_workflow(DeleteWorkflowRequest { name: text("w") })
        .await
        .unwrap();
    assert_eq!(deleted.into_inner().name, text("w"));
}

#[tokio::test]
async fn a_workflow_goes_with_its_triggers_and_comes_back_as_another() {
    let world = World::start();
    world.create_workflow("w").await;
    let first = world.last_plan();
    world.create_trigger(on_demand("start", Some("w"), &["j"])).await;
    world.create_trigger(conditional("then", Some("w"), "j", &["k"])).await;
    world.create_trigger(on_demand("alone", None, &["j"])).await;
    world
        .workflows()
        .delete_workflow(DeleteWorkflowRequest { name: text("w") })
        .await
        .unwrap();
    assert_eq!(world.last_subject(), "deleted PLAN_KIND_WORKFLOW w");
    for gone in ["start", "then"] {
        let get = world
            .triggers()
            .get_trigger(GetTriggerRequest { name: text(gone) })
            .await;
        refused(get, ENF, &format!("Trigger {gone} not found."));
    }
    world.trigger("alone").await;
    world.create_workflow("w").await;
    assert_eq!(world.last_subject(), "workflow w []");
    let uid = |plan: treenail_proto::internal::v1::Plan| match plan.subject {
        Some(treenail_proto::internal::v1::plan::Subject::Workflow(plan)) => plan.uid,
        other => panic!("unexpected: {other:?}"),
    };
    assert_ne!(uid(first), uid(world.last_plan()));
}

#[tokio::test]
async fn a_graph_shows_triggers_jobs_and_crawlers_breadth_first() {
    let world = World::start();
    world.create_workflow("w").await;
    world
        .create_trigger(conditional("a-last", Some("w"), "two", &["three"]))
        .await;
    world
        .create_trigger(conditional("b-next", Some("w"), "one", &["two"]))
        .await;
    world.create_trigger(on_demand("start", Some("w"), &["one"])).await;
    let graph = world.workflow("w").await.graph.unwrap();
    let nodes: Vec<(NodeType, &str)> = graph
        .nodes
        .iter()
        .map(|node| (node.r#type(), node.name.as_deref().unwrap()))
        .collect();
    let expected = [
        (NodeType::Trigger, "start"),
        (NodeType::Job, "one"),
        (NodeType::Trigger, "b-next"),
        (NodeType::Job, "two"),
        (NodeType::Trigger, "a-last"),
        (NodeType::Job, "three"),
    ];
    assert_eq!(nodes, expected);
    for node in &graph.nodes {
        let id = node.unique_id.as_deref().unwrap();
        assert!(id.starts_with("wnode_") && id.len() == 70, "{id}");
        match node.r#type() {
            NodeType::Trigger => {
                let shown = node.trigger_details.clone().unwrap().trigger.unwrap();
                assert_eq!(shown, world.trigger(node.name.as_deref().unwrap()).await);
            }
            NodeType::Job => assert_eq!(node.job_details.clone().unwrap().job_runs, []),
            other => panic!("unexpected: {other:?}"),
        }
    }
    let id = |index: usize| graph.nodes[index].unique_id.clone();
    let edges: Vec<_> = graph
        .edges
        .iter()
        .map(|edge| (edge.source_id.clone(), edge.destination_id.clone()))
        .collect();
    assert_eq!(
        edges,
        (0..5).map(|index| (id(index), id(index + 1))).collect::<Vec<_>>()
    );
    // Ids stay the same, and an empty workflow has an empty graph.
    assert_eq!(world.workflow("w").await.graph.unwrap(), graph);
    world.create_workflow("empty").await;
    assert_eq!(world.workflow("empty").await.graph.unwrap().nodes, []);
}

#[tokio::test]
async fn the_last_run_comes_from_the_scheduler_and_is_left_out_when_it_is_down() {
    let world = World::start();
    world.create_workflow("ran").await;
    world.create_workflow("never").await;
    let run = WorkflowRun {
        name: text("ran"),
        status: Some(WorkflowRunStatus::Completed.into()),
        ..WorkflowRun::default()
    };
    world.scheduler.state().last_runs.insert("ran".to_owned(), run.clone());
    assert_eq!(world.workflow("ran").await.last_run, Some(run));
    assert_eq!(world.workflow("never").await.last_run, None);
    world.scheduler.state().is_down = true;
    assert_eq!(world.workflow("ran").await.last_run, None);
}

#[tokio::test]
async fn several_workflows_come_in_the_order_of_their_names_in_the_request() {
    let world = World::start();
    for name in ["a", "b", "c"] {
        world.create_workflow(name).await;
    }
    let names = ["c", "x", "a", "c", "y"].map(str::to_owned).to_vec();
    let request = BatchGetWorkflowsRequest {
        names,
        include_graph: None,
    };
    let response = world
        .workflows()
        .batch_get_workflows(request)
        .await
        .unwrap()
        .into_inner();
    let found: Vec<_> = response
        .workflows
        .iter()
        .map(|workflow| workflow.name.as_deref().unwrap())
        .collect();
    assert_eq!(found, ["c", "a"]);
    assert_eq!(response.missing_workflows, ["x", "y"]);
    assert!(response.workflows.iter().all(|workflow| workflow.graph.is_none()));
}

#[tokio::test]
async fn every_change_of_a_trigger_publishes_its_whole_workflow() {
    let world = World::start();
    world.create_workflow("w").await;
    world.create_trigger(on_demand("b", Some("w"), &["j"])).await;
    assert_eq!(world.last_subject(), "workflow w [b]");
    world.create_trigger(conditional("a", Some("w"), "j", &["k"])).await;
    assert_eq!(world.last_subject(), "workflow w [a b]");
    world
        .triggers()
        .delete_trigger(DeleteTriggerRequest { name: text("b") })
        .await
        .unwrap();
    assert_eq!(world.last_subject(), "workflow w [a]");
    let state = world.scheduler.state();
    assert!(state.plans.is_sorted_by(|one, other| one.sequence < other.sequence));
}
