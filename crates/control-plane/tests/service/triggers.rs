//! Triggers: the transition table of spec §4B and every rule of §4C and §4D, with AWS's texts.

use tonic::{Response, Status};
use treenail_control_plane::{Config, config::Quotas, store::memory::MemoryStore};
use treenail_proto::glue::v1::{
    Action, Condition, CrawlState, CreateTriggerRequest, CreateTriggerResponse, DeleteTriggerRequest,
    EventBatchingCondition, GetTriggerRequest, JobRunState, Logical, LogicalOperator, NotificationProperty, Predicate,
    StartTriggerRequest, StopTriggerRequest, Trigger, TriggerState, TriggerType, TriggerUpdate, UpdateTriggerRequest,
};
use treenail_rpc::{Caller, Fault, Reason};

use crate::{
    scheduler::FakeScheduler,
    world::{World, conditional, describe, invoked, map, on_demand, refused, scheduled, starts, succeeded, text},
};

const II: &str = "InvalidInputException";
const ENF: &str = "EntityNotFoundException";
const DAILY: &str = "cron(15 12 * * ? *)";

fn of_type(kind: TriggerType) -> CreateTriggerRequest {
    CreateTriggerRequest {
        r#type: Some(kind.into()),
        ..on_demand("t", None, &["j"])
    }
}

fn event(name: &str, workflow: &str) -> CreateTriggerRequest {
    CreateTriggerRequest {
        r#type: Some(TriggerType::Event.into()),
        ..on_demand(name, Some(workflow), &["j"])
    }
}

fn with_conditions(conditions: Vec<Condition>, logical: Option<Logical>) -> CreateTriggerRequest {
    CreateTriggerRequest {
        predicate: Some(Predicate {
            logical: logical.map(Into::into),
            conditions,
        }),
        ..of_type(TriggerType::Conditional)
    }
}

fn with_actions(actions: Vec<Action>) -> CreateTriggerRequest {
    CreateTriggerRequest {
        actions,
        ..on_demand("t", None, &[])
    }
}

fn crawled(crawler: &str, state: Option<CrawlState>) -> Condition {
    Condition {
        logical_operator: Some(LogicalOperator::Equals.into()),
        crawler_name: text(crawler),
        crawl_state: state.map(Into::into),
        ..Condition::default()
    }
}

fn crawls(crawler: &str) -> Action {
    Action {
        crawler_name: text(crawler),
        ..Action::default()
    }
}

fn update_of(request: CreateTriggerRequest) -> UpdateTriggerRequest {
    let update = TriggerUpdate {
        name: None,
        description: request.description,
        schedule: request.schedule,
        actions: request.actions,
        predicate: request.predicate,
        event_batching_condition: request.event_batching_condition,
    };
    UpdateTriggerRequest {
        name: request.name,
        trigger_update: Some(update),
    }
}

async fn create(world: &World, request: CreateTriggerRequest) -> Result<Response<CreateTriggerResponse>, Status> {
    world.triggers().create_trigger(request).await
}

/// Everything that breaks a rule, with the text that AWS has for it.
fn broken() -> Vec<(CreateTriggerRequest, &'static str)> {
    let conditions = broken_conditions().into_iter();
    let conditions = conditions.map(|(condition, message)| (with_conditions(vec![condition], None), message));
    broken_starts()
        .into_iter()
        .chain(conditions)
        .chain(broken_actions())
        .collect()
}

fn broken_starts() -> Vec<(CreateTriggerRequest, &'static str)> {
    vec![
        (of_type(TriggerType::Scheduled), "Schedule cannot be null or empty"),
        (scheduled("t", None, "", &["j"]), "Schedule cannot be null or empty"),
        (
            scheduled("t", None, "cron(0 10 1 * MON *)", &["j"]),
            "The schedule cron(0 10 1 * MON *) is invalid.",
        ),
        (
            scheduled("t", None, "rate(5 minutes)", &["j"]),
            "The schedule rate(5 minutes) is invalid.",
        ),
        (of_type(TriggerType::Conditional), "Predicate cannot be null or empty"),
        (
            with_conditions(Vec::new(), Some(Logical::And)),
            "Predicate cannot be null or empty",
        ),
        (
            with_conditions(vec![succeeded("a"), succeeded("b")], None),
            "Logical operator cannot be null or empty when more than one condition is present.",
        ),
    ]
}

fn broken_conditions() -> Vec<(Condition, &'static str)> {
    let no_job_state = "State cannot be null or empty, choose from one of the following job state: \
                        [SUCCEEDED, STOPPED, FAILED, TIMEOUT]";
    let no_crawl_state = "State cannot be null or empty, choose from one of the following crawler state: \
                          [SUCCEEDED, FAILED, CANCELLED]";
    let job_state = "JobRunState should be any of: [SUCCEEDED, STOPPED, FAILED, TIMEOUT]";
    let ends = |state: JobRunState| Condition {
        state: Some(state.into()),
        ..succeeded("a")
    };
    let nothing = Condition {
        job_name: None,
        ..succeeded("a")
    };
    let running = crawled("c", Some(CrawlState::Running));
    vec![
        (
            Condition {
                logical_operator: None,
                ..succeeded("a")
            },
            "Logical operator cannot be null or empty",
        ),
        (
            Condition {
                state: None,
                ..succeeded("a")
            },
            no_job_state,
        ),
        // A job's state given to a crawler, as users of Terraform do.
        (
            Condition {
                state: Some(JobRunState::Succeeded.into()),
                ..crawled("c", None)
            },
            no_crawl_state,
        ),
        (ends(JobRunState::Running), job_state),
        (ends(JobRunState::Error), job_state),
        (running, "CrawlerState should be any of: [SUCCEEDED, FAILED, CANCELLED]"),
        (nothing, "JobName or CrawlerName in condition cannot be null or empty"),
    ]
}

fn broken_actions() -> Vec<(CreateTriggerRequest, &'static str)> {
    let both = Action {
        crawler_name: text("c"),
        ..starts("j")
    };
    let three_crawlers = vec![crawls("a"), crawls("b"), crawls("c"), starts("j")];
    vec![
        (
            with_actions(vec![both]),
            "Both JobName or CrawlerName cannot be set together in an action",
        ),
        (
            with_actions(vec![Action::default()]),
            "JobName or CrawlerName in action cannot be null or empty",
        ),
        (with_actions(Vec::new()), "Actions cannot be null or empty"),
        (
            with_actions(three_crawlers),
            "Actions cannot contain more than two crawlers",
        ),
        (
            conditional("t", None, "j", &["k", "j"]),
            "Job cannot be a Predicate and Action for Conditional Trigger.",
        ),
    ]
}

#[tokio::test]
async fn a_broken_rule_is_refused_in_awss_words_on_create() {
    let world = World::start();
    for (request, message) in broken() {
        refused(create(&world, request).await, II, message);
    }
    refused(
        create(&world, of_type(TriggerType::Event)).await,
        II,
        "Workflow name cannot be null or empty",
    );
    assert_eq!(world.scheduler.state().plans, []);
}

#[tokio::test]
async fn a_broken_rule_is_refused_in_awss_words_on_update_and_changes_nothing() {
    for (request, message) in broken() {
        let world = World::start();
        let sound = match request.r#type() {
            TriggerType::Scheduled => scheduled("t", None, DAILY, &["j"]),
            TriggerType::Conditional => conditional("t", None, "a", &["j"]),
            TriggerType::OnDemand | TriggerType::Event | TriggerType::Unspecified => on_demand("t", None, &["j"]),
        };
        world.create_trigger(sound).await;
        let before = world.trigger("t").await;
        refused(world.triggers().update_trigger(update_of(request)).await, II, message);
        assert_eq!(world.trigger("t").await, before);
    }
}

#[tokio::test]
async fn what_aws_is_not_known_to_refuse_is_accepted() {
    let world = World::start();
    world.create_workflow("w").await;
    let two_states = vec![
        succeeded("a"),
        Condition {
            state: Some(JobRunState::Failed.into()),
            ..succeeded("a")
        },
    ];
    let requests = [
        // Nothing that a trigger names has to exist.
        conditional("no-jobs", None, "nowhere", &["nothing"]),
        // Two states of one job (spec U11).
        CreateTriggerRequest {
            name: text("two-states"),
            ..with_conditions(two_states, Some(Logical::Any))
        },
        // A schedule that only a SCHEDULED trigger would use.
        CreateTriggerRequest {
            schedule: text("nonsense"),
            ..on_demand("schedule", None, &["j"])
        },
        // Two crawlers, and as many jobs as one likes.
        CreateTriggerRequest {
            name: text("many"),
            ..with_actions(vec![crawls("a"), crawls("b"), starts("j"), starts("j"), starts("k")])
        },
        // A cron expression that never comes true (spec U39).
        scheduled("never", None, "cron(0 0 30 2 ? *)", &["j"]),
    ];
    for request in requests {
        world.create_trigger(request).await;
    }
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
async fn a_condition_on_a_job_forgets_its_crawler() {
    let world = World::start();
    let both = Condition {
        crawler_name: text("c"),
        crawl_state: Some(CrawlState::Failed.into()),
        ..succeeded("a")
    };
    world.create_trigger(with_conditions(vec![both], None)).await;
    assert_eq!(world.trigger("t").await.predicate.unwrap().conditions, [succeeded("a")]);
}

#[tokio::test]
async fn an_event_batch_has_awss_window_when_none_is_given() {
    let world = World::start();
    world.create_workflow("w").await;
    let batch = |window| {
        Some(EventBatchingCondition {
            batch_size: Some(4),
            batch_window: window,
        })
    };
    world
        .create_trigger(CreateTriggerRequest {
            event_batching_condition: batch(None),
            ..event("t", "w")
        })
        .await;
    assert_eq!(world.trigger("t").await.event_batching_condition, batch(Some(900)));
    let update = update_of(CreateTriggerRequest {
        event_batching_condition: batch(Some(7)),
        ..event("t", "w")
    });
    world.triggers().update_trigger(update).await.unwrap();
    assert_eq!(world.trigger("t").await.event_batching_condition, batch(Some(7)));
    world
        .triggers()
        .update_trigger(update_of(event("t", "w")))
        .await
        .unwrap();
    assert_eq!(world.trigger("t").await.event_batching_condition, None);
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
    let update = update_of(scheduled("t", None, "cron(0 1 * * ? *)", &["k"]));
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
            .update_trigger(update_of(on_demand("t", None, &["j"])))
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
        .update_trigger(update_of(on_demand("first", None, &["k"])))
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

#[tokio::test]
async fn quotas_that_are_set_are_kept() {
    let quotas = Quotas {
        triggers: Some(1),
        jobs_per_trigger: Some(2),
        crawlers_per_trigger: 3,
        ..Quotas::default()
    };
    let config = Config {
        quotas,
        ..Config::default()
    };
    let world = World::start_with(config, MemoryStore::default(), FakeScheduler::default());
    let rnl = "ResourceNumberLimitExceededException";
    let message = "The number of jobs per trigger has exceeded the limit. \
                   Your account is limited to 2 jobs per trigger.";
    refused(
        create(&world, on_demand("t", None, &["a", "b", "c"])).await,
        rnl,
        message,
    );
    let four = vec![crawls("a"), crawls("b"), crawls("c"), crawls("d")];
    refused(
        create(&world, with_actions(four)).await,
        II,
        "Actions cannot contain more than 3 crawlers",
    );
    world
        .create_trigger(with_actions(vec![
            crawls("a"),
            crawls("b"),
            crawls("c"),
            starts("j"),
            starts("k"),
        ]))
        .await;
    let message = "The number of triggers has exceeded the limit. Your account is limited to 1 triggers.";
    refused(create(&world, on_demand("u", None, &["j"])).await, rnl, message);
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
