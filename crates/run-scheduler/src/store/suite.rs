//! What every store must do, on every engine.

use std::future::Future;

use treenail_rpc::{Scope, telemetry::TraceContext};

use super::{
    BookmarkRow, Changes, CopiesRow, EventRow, InvocationRow, JobRunRow, PlanKind, PlanRow, Position, RunRow,
    ScheduleRow, Store, TraceRow,
};

/// Puts stores through all of it; `make` gives an empty one each time.
///
/// # Panics
///
/// When a store does not do what it must.
pub(crate) async fn all<S: Store, F: Future<Output = S>>(make: impl Fn() -> F) {
    names_mean_the_current_definition(make().await).await;
    a_run_tells_its_workflow_while_that_is_there(make().await).await;
    pages_are_newest_first_and_have_no_gaps(make().await).await;
    what_is_open_is_loaded_with_the_plans_it_keeps(make().await).await;
    rows_are_replaced_and_removed(make().await).await;
    traces_are_loaded_until_they_are_removed(make().await).await;
    bookmarks_change_only_from_the_version_that_was_read(make().await).await;
    pruning_removes_what_is_old_or_orphaned_and_nothing_else(make().await).await;
}

pub(super) fn plan(name: &str, uid: &str, sequence: u64) -> PlanRow {
    PlanRow {
        scope: Scope::default(),
        kind: PlanKind::Workflow,
        name: name.to_owned(),
        uid: uid.to_owned(),
        sequence,
        written_at_ms: 0,
        is_deleted: false,
        data: vec![1],
    }
}

fn run(id: &str, uid: &str, started_at_ms: i64, is_open: bool) -> RunRow {
    RunRow {
        scope: Scope::default(),
        id: id.to_owned(),
        workflow_uid: uid.to_owned(),
        plan_sequence: 1,
        started_at_ms,
        is_open,
        data: vec![2],
    }
}

fn job_run(id: &str, run_id: Option<&str>, started_at_ms: i64, is_open: bool) -> JobRunRow {
    JobRunRow {
        scope: Scope::default(),
        id: id.to_owned(),
        job_uid: Some("job".to_owned()),
        run_id: run_id.map(str::to_owned),
        chain_id: None,
        started_at_ms,
        is_open,
        data: Vec::new(),
    }
}

async fn a_run_tells_its_workflow_while_that_is_there(store: impl Store) {
    let scope = Scope::default();
    let first = Changes {
        plans: vec![plan("w", "u1", 1)],
        runs: vec![run("r1", "u1", 1, false)],
        ..Changes::default()
    };
    store.commit(first).await.unwrap();
    assert_eq!(store.workflow_of(&scope, "r1").await.unwrap().as_deref(), Some("w"));
    assert_eq!(store.workflow_of(&scope, "r2").await.unwrap(), None);
    let deleted = PlanRow {
        is_deleted: true,
        ..plan("w", "u1", 2)
    };
    let gone = Changes {
        plans: vec![deleted],
        ..Changes::default()
    };
    store.commit(gone).await.unwrap();
    assert_eq!(store.workflow_of(&scope, "r1").await.unwrap(), None);
}

async fn names_mean_the_current_definition(store: impl Store) {
    let scope = Scope::default();
    let first = Changes {
        plans: vec![plan("w", "u1", 1)],
        runs: vec![run("r1", "u1", 1, false)],
        ..Changes::default()
    };
    store.commit(first).await.unwrap();
    assert!(store.run(&scope, "w", "r1").await.unwrap().is_some());
    let changed = Changes {
        plans: vec![plan("w", "u1", 2)],
        ..Changes::default()
    };
    store.commit(changed).await.unwrap();
    assert_eq!(
        store
            .plan(&scope, PlanKind::Workflow, "w")
            .await
            .unwrap()
            .map(|plan| plan.sequence),
        Some(2)
    );
    assert_eq!(store.plan(&scope, PlanKind::Job, "w").await.unwrap(), None);
    assert!(
        store.plan_at("u1", 1).await.unwrap().is_some(),
        "runs keep the plans that they were started with"
    );

    let deleted = PlanRow {
        is_deleted: true,
        ..plan("w", "u1", 3)
    };
    store
        .commit(Changes {
            plans: vec![deleted],
            ..Changes::default()
        })
        .await
        .unwrap();
    assert_eq!(store.plan(&scope, PlanKind::Workflow, "w").await.unwrap(), None);
    assert_eq!(store.run(&scope, "w", "r1").await.unwrap(), None);
    store
        .commit(Changes {
            plans: vec![plan("w", "u2", 4)],
            ..Changes::default()
        })
        .await
        .unwrap();
    assert_eq!(
        store.run(&scope, "w", "r1").await.unwrap(),
        None,
        "another creation starts without runs"
    );
    let other = Scope {
        account: "111111111111".to_owned(),
        ..Scope::default()
    };
    assert_eq!(
        store.plan(&other, PlanKind::Workflow, "w").await.unwrap(),
        None,
        "another account sees nothing"
    );
}

async fn pages_are_newest_first_and_have_no_gaps(store: impl Store) {
    let times = [5, 3, 5, 1, 5];
    let runs = times
        .iter()
        .enumerate()
        .map(|(index, at)| run(&format!("r{index}"), "u", *at, false))
        .collect();
    let job_runs = times
        .iter()
        .enumerate()
        .map(|(index, at)| job_run(&format!("j{index}"), None, *at, false))
        .collect();
    store
        .commit(Changes {
            runs,
            job_runs,
            ..Changes::default()
        })
        .await
        .unwrap();
    for limit in 1..=6 {
        let (mut runs, mut job_runs, mut after, mut job_after) = (Vec::new(), Vec::new(), None, None);
        loop {
            let page = store.runs("u", after.take(), limit).await.unwrap();
            let job_page = store.job_runs("job", job_after.take(), limit).await.unwrap();
            after = page.last().map(|run| Position {
                started_at_ms: run.started_at_ms,
                id: run.id.clone(),
            });
            job_after = job_page.last().map(|run| Position {
                started_at_ms: run.started_at_ms,
                id: run.id.clone(),
            });
            if page.is_empty() && job_page.is_empty() {
                break;
            }
            runs.extend(page.into_iter().map(|run| run.id));
            job_runs.extend(job_page.into_iter().map(|run| run.id));
        }
        assert_eq!(runs, ["r4", "r2", "r0", "r1", "r3"], "by {limit}");
        assert_eq!(job_runs, ["j4", "j2", "j0", "j1", "j3"], "by {limit}");
    }
}

async fn what_is_open_is_loaded_with_the_plans_it_keeps(store: impl Store) {
    let changes = Changes {
        plans: vec![plan("w", "u", 1), plan("w", "u", 2)],
        runs: vec![run("open", "u", 1, true), run("ended", "u", 1, false)],
        job_runs: vec![
            job_run("a", Some("open"), 2, false),
            job_run("b", Some("open"), 1, true),
            job_run("c", Some("ended"), 1, false),
            job_run("d", None, 1, true),
            job_run("e", None, 1, false),
        ],
        clock_ms: Some(7),
        ..Changes::default()
    };
    store.commit(changes).await.unwrap();
    let loaded = store.load().await.unwrap();
    let [scope] = loaded.as_slice() else {
        panic!("one scope has rows, not {}", loaded.len())
    };
    let sequences = |plans: &[PlanRow]| plans.iter().map(|plan| plan.sequence).collect::<Vec<_>>();
    assert_eq!(
        (sequences(&scope.plans), sequences(&scope.kept_plans)),
        (vec![2], vec![1])
    );
    assert_eq!(
        scope.runs.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(),
        ["open"]
    );
    let mut job_runs: Vec<&str> = scope.job_runs.iter().map(|run| run.id.as_str()).collect();
    job_runs.sort_unstable();
    assert_eq!(job_runs, ["a", "b", "d"]);
    assert_eq!(scope.clock_ms, Some(7));
    let of_run = store.job_runs_of_run("open").await.unwrap();
    assert_eq!(
        of_run.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(),
        ["b", "a"],
        "oldest first"
    );
}

async fn traces_are_loaded_until_they_are_removed(store: impl Store) {
    let trace = |id: &str, traceparent: Option<&str>| TraceRow {
        scope: Scope::default(),
        id: id.to_owned(),
        context: traceparent.map(|traceparent| TraceContext {
            traceparent: traceparent.to_owned(),
            tracestate: "vendor=value".to_owned(),
        }),
    };
    let begun = Changes {
        traces: vec![trace("r", Some("one")), trace("s", Some("two")), trace("s", None)],
        ..Changes::default()
    };
    store.commit(begun).await.unwrap();
    assert_eq!(store.load().await.unwrap()[0].traces, [trace("r", Some("one"))]);
    let ended = Changes {
        traces: vec![trace("r", None)],
        ..Changes::default()
    };
    store.commit(ended).await.unwrap();
    assert!(store.load().await.unwrap().iter().all(|scope| scope.traces.is_empty()));
}

async fn rows_are_replaced_and_removed(store: impl Store) {
    let schedule = |next_at_ms| ScheduleRow {
        scope: Scope::default(),
        workflow: "w".into(),
        trigger: "t".into(),
        next_at_ms,
    };
    let invocation = |answer: &str| InvocationRow {
        scope: Scope::default(),
        key: "k".to_owned(),
        expires_at_ms: 10,
        answer: answer.to_owned(),
    };
    let event = |sequence| EventRow {
        run_id: "r".to_owned(),
        sequence,
        at_ms: 1,
        data: vec![3],
    };
    let first = Changes {
        runs: vec![run("r", "u", 1, true)],
        schedules: vec![schedule(Some(1))],
        invocations: vec![invocation("one")],
        events: vec![event(1), event(2), event(3)],
        copies: vec![CopiesRow {
            run_id: "r".to_owned(),
            data: Vec::new(),
        }],
        ..Changes::default()
    };
    store.commit(first).await.unwrap();
    assert_eq!(store.history("r", 2, 1).await.unwrap(), [event(2)]);
    assert!(store.copies("r").await.unwrap().is_some());
    let second = Changes {
        schedules: vec![schedule(Some(2))],
        invocations: vec![invocation("two")],
        ..Changes::default()
    };
    store.commit(second).await.unwrap();
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded[0].schedules, [schedule(Some(2))]);
    assert_eq!(loaded[0].invocations, [invocation("two")]);
    let ended = RunRow {
        data: vec![9],
        ..run("r", "u", 1, false)
    };
    let third = Changes {
        runs: vec![ended.clone()],
        schedules: vec![schedule(None)],
        ..Changes::default()
    };
    store.commit(third).await.unwrap();
    assert_eq!(store.load().await.unwrap()[0].schedules, []);
    assert_eq!(store.runs("u", None, 9).await.unwrap(), [ended]);
}

async fn bookmarks_change_only_from_the_version_that_was_read(store: impl Store) {
    let row = |version, state: &str| BookmarkRow {
        job_uid: "job".to_owned(),
        version,
        run: 1,
        attempt: 0,
        run_id: "r".to_owned(),
        previous_run_id: String::new(),
        state: state.to_owned(),
    };
    assert!(!store.put_bookmark(row(2, "early"), 1).await.unwrap());
    assert!(store.put_bookmark(row(1, "one"), 0).await.unwrap());
    assert!(!store.put_bookmark(row(1, "late"), 0).await.unwrap());
    assert!(store.put_bookmark(row(2, "two"), 1).await.unwrap());
    assert_eq!(store.bookmark("job").await.unwrap(), Some(row(2, "two")));
    assert_eq!(store.bookmark("other").await.unwrap(), None);
}

async fn pruning_removes_what_is_old_or_orphaned_and_nothing_else(store: impl Store) {
    let gone = PlanRow {
        is_deleted: true,
        ..plan("gone", "g", 2)
    };
    let changes = Changes {
        plans: vec![plan("w", "u", 1), plan("gone", "g", 1), gone],
        runs: vec![
            run("old", "u", 1, false),
            run("old-and-open", "u", 1, true),
            run("new", "u", 9, false),
            run("orphan", "g", 9, false),
            run("orphan-and-open", "g", 9, true),
        ],
        job_runs: vec![
            job_run("a", Some("old"), 1, false),
            job_run("b", Some("new"), 9, false),
            job_run("c", None, 1, false),
        ],
        events: vec![EventRow {
            run_id: "old".to_owned(),
            sequence: 1,
            at_ms: 1,
            data: Vec::new(),
        }],
        ..Changes::default()
    };
    store.commit(changes).await.unwrap();
    let mut removed = Vec::new();
    loop {
        let step = store.prune(5, 1).await.unwrap();
        if step.is_empty() {
            break;
        }
        removed.extend(step.into_iter().map(|(_, id)| id));
    }
    removed.sort_unstable();
    assert_eq!(removed, ["old", "orphan"]);
    let left = store.runs("u", None, 9).await.unwrap();
    assert_eq!(
        left.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(),
        ["new", "old-and-open"]
    );
    let (job_runs, _) = store
        .by_ids(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()])
        .await
        .unwrap();
    assert_eq!(job_runs.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(store.history("old", 1, 9).await.unwrap(), []);
}
