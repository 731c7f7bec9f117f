//! The rules of triggers: every row of spec §4C, with AWS's texts.

use treenail_control_plane::{Config, config::Quotas, store::memory::MemoryStore};
use treenail_proto::glue::v1::{
    Action, Condition, CrawlState, CreateTriggerRequest, EventBatchingCondition, JobRunState, Logical, TriggerType,
};

use crate::{
    scheduler::FakeScheduler,
    triggers::create,
    words::{
        conditional, crawled, crawls, event, of_type, on_demand, refused, scheduled, starts, succeeded, text,
        trigger_update, with_actions, with_conditions,
    },
    world::World,
};

const II: &str = "InvalidInputException";
const DAILY: &str = "cron(15 12 * * ? *)";

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
        refused(
            world.triggers().update_trigger(trigger_update(request)).await,
            II,
            message,
        );
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
    let update = trigger_update(CreateTriggerRequest {
        event_batching_condition: batch(Some(7)),
        ..event("t", "w")
    });
    world.triggers().update_trigger(update).await.unwrap();
    assert_eq!(world.trigger("t").await.event_batching_condition, batch(Some(7)));
    world
        .triggers()
        .update_trigger(trigger_update(event("t", "w")))
        .await
        .unwrap();
    assert_eq!(world.trigger("t").await.event_batching_condition, None);
}

#[tokio::test]
async fn fifty_jobs_are_the_most_of_one_trigger() {
    let world = World::start();
    let jobs: Vec<String> = (0..51).map(|index| format!("j{index}")).collect();
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    let message = "The number of jobs per trigger has exceeded the limit. \
                   Your account is limited to 50 jobs per trigger.";
    let refusal = create(&world, on_demand("t", None, &jobs)).await;
    refused(refusal, "ResourceNumberLimitExceededException", message);
    world.create_trigger(on_demand("t", None, &jobs[..50])).await;
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
