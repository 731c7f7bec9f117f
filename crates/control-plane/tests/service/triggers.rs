//! Triggers: the transition table of spec §4B, and what becomes of triggers of a workflow.

use tonic::{Response, Status};
use treenail_proto::glue::v1::{
    Action, CrawlState, CreateTriggerRequest, CreateTriggerResponse, DeleteTriggerRequest, GetTriggerRequest, Logical,
    NotificationProperty, Predicate, StartTriggerRequest, StopTriggerRequest, Trigger, TriggerState, TriggerType,
};
use treenail_rpc::{Caller, Fault, Reason};

use crate::{
    words::{
        conditional, crawled, event, invoked, map, on_demand, refused, scheduled, starts, succeeded, text,
        trigger_update, with_conditions,
    },
    world::{World, describe},
};

const II: &str = "InvalidInputException";
const ENF: &str = "EntityNotFoundException";
const DAILY: &str = "cron(15 12 * * ? *)";

pub(crate) async fn create(
    world: &World,
    request: CreateTriggerRequest,
) -> Result<Response<CreateTriggerResponse>, Status> {
    world.triggers().create_trigger(request).await
}

#[tokio::test]
async fn a_trigger_reads_back_as_it_was_made_and_nothing_else() {
    let world = World::start();
    world.create_workflow("w").await;
    let action = Action {
        arguments: map(&[("--day", "1")]),
        timeout: Some(5),
        security_configuration: text("secret"),
        notification_property: Some(NotificationProperty {
            notify_delay_after: Some(3),
        }),
        ..starts("j")
    };
    let conditions = vec![succeeded("a"), crawled("c", Some(CrawlState::Succeeded))];
    let request = CreateTriggerRequest {
        workflow_name: text("w"),
        description: text("joins"),
        actions: vec![action.clone()],
        ..with_conditions(conditions.clone(), Some(Logical::And))
    };
    world.create_trigger(request).await;
    let expected = Trigger {
        name: text("t"),
        workflow_name: text("w"),
        id: None,
        r#type: Some(TriggerType::Conditional.into()),
        state: Some(TriggerState::Created.into()),
        description: text("joins"),
        schedule: None,
        actions: vec![action],
        predicate: Some(Predicate {
            logical: Some(Logical::And.into()),
            conditions,
        }),
        event_batching_condition: None,
    };
    assert_eq!(world.trigger("t").await, expected);
}

#[tokio::test]
async fn only_scheduled_and_conditional_triggers_are_started_on_creation() {
    let world = World::start();
    world.create_workflow("w").await;
    let started = |request| CreateTriggerRequest {
        start_on_creation: Some(true),
        ..request
    };
    world.create_trigger(started(scheduled("s", None, DAILY, &["j"]))).await;
    world.create_trigger(started(conditional("c", None, "a", &["j"]))).await;
    for name in ["s", "c"] {
        assert_eq!(world.trigger(name).await.state(), TriggerState::Activated);
    }
    for (request, kind) in [(on_demand("o", None, &["j"]), "ON_DEMAND"), (event("e", "w"), "EVENT")] {
        let message = format!("Starting trigger on create is not supported for {kind} trigger type.");
        refused(create(&world, started(request)).await, II, &message);
    }
    let unstarted = CreateTriggerRequest {
        start_on_creation: Some(false),
        ..event("e", "w")
    };
    world.create_trigger(unstarted).await;
    assert_eq!(world.trigger("e").await.state(), TriggerState::Created);
}

#[tokio::test]
async fn scheduled_and_conditional_triggers_go_from_created_to_activated_and_back_to_deactivated() {
    let world = World::start();
    world.create_workflow("w").await;
    for request in [
        scheduled("s", Some("w"), DAILY, &["j"]),
        conditional("c", None, "a", &["j"]),
    ] {
        let name = request.name.clone();
        world.create_trigger(request).await;
        let shown = name.clone().unwrap();
        let start = || world_start(&world, &shown);
        let stop = || world_stop(&world, &shown);
        let not_allowed = |state| format!("The operation is not allowed when trigger is in state: {state}");
        refused(stop().await, II, &not_allowed("CREATED"));
        start().await.unwrap();
        assert_eq!(world.trigger(&shown).await.state(), TriggerState::Activated);
        refused(start().await, II, &not_allowed("ACTIVATED"));
        stop().await.unwrap();
        assert_eq!(world.trigger(&shown).await.state(), TriggerState::Deactivated);
        refused(stop().await, II, &not_allowed("DEACTIVATED"));
        start().await.unwrap();
        assert_eq!(world.trigger(&shown).await.state(), TriggerState::Activated);
    }
    assert_eq!(world.scheduler.state().fired, []);
}

#[tokio::test]
async fn an_on_demand_trigger_fires_and_stays_as_it_is() {
    let world = World::start();
    world.create_workflow("w").await;
    world.create_trigger(on_demand("in", Some("w"), &["j"])).await;
    world.create_trigger(on_demand("alone", None, &["j"])).await;
    for name in ["in", "alone"] {
        let request = invoked("call-1", StartTriggerRequest { name: text(name) });
        let response = world.triggers().start_trigger(request).await.unwrap();
        assert_eq!(response.into_inner().name, text(name));
        assert_eq!(world.trigger(name).await.state(), TriggerState::Created);
        let refusal = "The operation is not allowed when trigger is in state: CREATED";
        refused(world_stop(&world, name).await, II, refusal);
    }
    let caller = Caller {
        invocation: text("call-1"),
        ..Caller::default()
    };
    let expected = [
        (caller.clone(), "in".to_owned(), "w".to_owned()),
        (caller, "alone".to_owned(), String::new()),
    ];
    assert_eq!(world.scheduler.state().fired, expected);
}

#[tokio::test]
async fn an_on_demand_trigger_hands_on_why_it_could_not_fire() {
    let world = World::start();
    world.create_trigger(on_demand("t", None, &["j"])).await;
    let rows = [
        (
            Reason::EntityNotFoundException,
            "Failed to start job run due to missing metadata.",
        ),
        (
            Reason::ConcurrentRunsExceededException,
            "Concurrent runs exceeded for workflow: w.",
        ),
    ];
    for (reason, message) in rows {
        world.scheduler.state().refusal = Some(Fault::new(reason, message));
        refused(world_start(&world, "t").await, reason.as_str(), message);
    }
}

#[tokio::test]
async fn an_event_trigger_can_be_neither_started_nor_stopped() {
    let world = World::start();
    world.create_workflow("w").await;
    world.create_trigger(event("t", "w")).await;
    refused(
        world_start(&world, "t").await,
        II,
        "Trigger Type EVENT cannot be started",
    );
    let message = "The operation is not allowed when trigger is in state: CREATED";
    refused(world_stop(&world, "t").await, II, message);
}

#[tokio::test]
async fn a_start_or_stop_that_the_client_sends_again_is_done_once() {
    let world = World::start();
    world.create_trigger(scheduled("t", None, DAILY, &["j"])).await;
    for _ in 0..2 {
        let request = invoked("start-1", StartTriggerRequest { name: text("t") });
        world.triggers().start_trigger(request).await.unwrap();
    }
    for _ in 0..2 {
        let request = invoked("stop-1", StopTriggerRequest { name: text("t") });
        world.triggers().stop_trigger(request).await.unwrap();
    }
    assert_eq!(world.trigger("t").await.state(), TriggerState::Deactivated);
}

#[tokio::test]
async fn an_update_replaces_the_definition_and_keeps_the_state() {
    let world = World::start();
    world.create_workflow("w").await;
    let request = CreateTriggerRequest {
        description: text("old"),
        start_on_creation: Some(true),
        ..scheduled("t", Some("w"), DAILY, &["j"])
    };
    world.create_trigger(request).await;
    let update = trigger_update(scheduled("t", None, "cron(0 1 * * ? *)", &["k"]));
    let answer = world
        .triggers()
        .update_trigger(update)
        .await
        .unwrap()
        .into_inner()
        .trigger
        .unwrap();
    assert_eq!(answer, world.trigger("t").await);
    assert_eq!(answer.state(), TriggerState::Activated);
    assert_eq!((answer.description, answer.workflow_name), (None, text("w")));
    assert_eq!(
        (answer.schedule, answer.actions),
        (text("cron(0 1 * * ? *)"), vec![starts("k")])
    );
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_but_deleted_already() {
    let world = World::start();
    let message = "Trigger t not found.";
    let get = world
        .triggers()
        .get_trigger(GetTriggerRequest { name: text("t") })
        .await;
    refused(get, ENF, message);
    refused(
        world
            .triggers()
            .update_trigger(trigger_update(on_demand("t", None, &["j"])))
            .await,
        ENF,
        message,
    );
    refused(world_start(&world, "t").await, ENF, message);
    refused(world_stop(&world, "t").await, ENF, message);
    let deleted = world
        .triggers()
        .delete_trigger(DeleteTriggerRequest { name: text("t") })
        .await
        .unwrap();
    assert_eq!(deleted.into_inner().name, text("t"));
    refused(
        create(&world, on_demand("t", Some("w"), &["j"])).await,
        ENF,
        "Entity not found",
    );
}

#[tokio::test]
async fn the_same_trigger_again_is_no_error_and_another_is() {
    let world = World::start();
    let request = CreateTriggerRequest {
        tags: map(&[("k", "v")]),
        ..scheduled("t", None, DAILY, &["j"])
    };
    world.create_trigger(request.clone()).await;
    world.create_trigger(request.clone()).await;
    world_start(&world, "t").await.unwrap();
    world.create_trigger(request.clone()).await;
    let message = "Trigger with name 't' already submitted with different configuration";
    let others = [
        CreateTriggerRequest {
            description: text("new"),
            ..request.clone()
        },
        CreateTriggerRequest {
            tags: map(&[("k", "w")]),
            ..request.clone()
        },
        CreateTriggerRequest {
            actions: vec![starts("k")],
            ..request.clone()
        },
        on_demand("t", None, &["j"]),
    ];
    for other in others {
        refused(
            create(&world, other).await,
            "IdempotentParameterMismatchException",
            message,
        );
    }
    assert_eq!(world.scheduler.state().plans.len(), 2);
}

#[tokio::test]
async fn a_workflow_has_one_trigger_that_starts_it() {
    let world = World::start();
    world.create_workflow("w").await;
    world.create_workflow("v").await;
    world.create_trigger(on_demand("first", Some("w"), &["j"])).await;
    let message = "Workflow w already has a starting trigger first";
    for second in [
        on_demand("t", Some("w"), &["j"]),
        scheduled("t", Some("w"), DAILY, &["j"]),
        event("t", "w"),
    ] {
        refused(create(&world, second).await, II, message);
    }
    world.create_trigger(conditional("then", Some("w"), "j", &["k"])).await;
    world.create_trigger(on_demand("other", Some("v"), &["j"])).await;
    // It may be changed, and another takes its place when it is gone.
    world
        .triggers()
        .update_trigger(trigger_update(on_demand("first", None, &["k"])))
        .await
        .unwrap();
    world
        .triggers()
        .delete_trigger(DeleteTriggerRequest { name: text("first") })
        .await
        .unwrap();
    world.create_trigger(event("second", "w")).await;
}

#[tokio::test]
async fn a_trigger_alone_has_a_plan_of_its_own() {
    let world = World::start();
    world.create_trigger(on_demand("t", None, &["j"])).await;
    assert_eq!(world.last_subject(), "trigger t");
    world
        .triggers()
        .delete_trigger(DeleteTriggerRequest { name: text("t") })
        .await
        .unwrap();
    assert_eq!(world.last_subject(), "deleted PLAN_KIND_TRIGGER t");
}

#[tokio::test]
async fn triggers_that_are_added_to_a_workflow_at_once_are_all_added() {
    let world = World::start();
    world.create_workflow("w").await;
    let mut calls = tokio::task::JoinSet::new();
    for index in 0..40 {
        let mut triggers = world.triggers();
        let request = conditional(&format!("t{index:02}"), Some("w"), "j", &["k"]);
        calls.spawn(async move { triggers.create_trigger(request).await.map(|_| ()) });
    }
    while let Some(created) = calls.join_next().await {
        created.unwrap().unwrap();
    }
    let all: Vec<String> = (0..40).map(|index| format!("t{index:02}")).collect();
    let state = world.scheduler.state();
    let newest = state.plans.iter().max_by_key(|plan| plan.sequence).unwrap();
    assert_eq!(describe(newest), format!("workflow w [{}]", all.join(" ")));
}

async fn world_start(
    world: &World,
    name: &str,
) -> Result<Response<treenail_proto::glue::v1::StartTriggerResponse>, Status> {
    world
        .triggers()
        .start_trigger(StartTriggerRequest { name: text(name) })
        .await
}

async fn world_stop(
    world: &World,
    name: &str,
) -> Result<Response<treenail_proto::glue::v1::StopTriggerResponse>, Status> {
    world
        .triggers()
        .stop_trigger(StopTriggerRequest { name: text(name) })
        .await
}
