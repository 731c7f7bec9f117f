//! What every store has to keep: one suite for all implementations.

mod words;

use std::collections::BTreeMap;

use treenail_proto::glue::v1::{Job, Workflow};
use treenail_rpc::Scope;

use self::words::{Tags, effect_on, get, job, map, names, plan, plan_name, put, trigger, version_of, workflow};
use super::{Change, Changes, CommitError, Effect, Filter, Store, Tagged, memory::MemoryStore, sqlite::SqliteStore};
use crate::kind::Kind;

/// Runs the whole suite, each part on a store of its own.
async fn all<S: Store>(mut make: impl FnMut() -> S) {
    what_is_committed_is_read(&make()).await;
    a_change_that_was_decided_on_an_old_version_conflicts(&make()).await;
    a_conflict_undoes_all_of_its_commit(&make()).await;
    one_created_again_is_another(&make()).await;
    names_are_paged_in_the_order_of_their_bytes(&make()).await;
    a_filter_keeps_what_has_all_tags(&make()).await;
    a_filter_keeps_what_starts_a_job(&make()).await;
    a_workflow_knows_its_triggers(&make()).await;
    tags_are_replaced_and_go_with_their_owner(&make()).await;
    scopes_do_not_mix(&make()).await;
    plans_wait_in_order_until_they_are_published(&make()).await;
    a_sequence_is_never_given_twice(&make()).await;
}

#[tokio::test]
async fn the_memory_store_passes() {
    all(MemoryStore::default).await;
}

#[tokio::test]
async fn the_embedded_store_passes() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = 0;
    all(|| {
        files += 1;
        embedded(&folder.path().join(format!("{files}.sqlite")))
    })
    .await;
}

#[tokio::test]
async fn the_embedded_store_keeps_everything_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("definitions.sqlite");
    let store = embedded(&path);
    let changes = Changes {
        plans: vec![plan("w")],
        ..put(&workflow("w"), None)
    };
    assert_eq!(store.commit(changes).await, Ok(1));
    drop(store);
    let store = embedded(&path);
    assert_eq!(
        get::<Workflow>(&store, "w").await.map(|(_, found)| found),
        Some(workflow("w"))
    );
    assert_eq!(store.outbox(10).await.unwrap().len(), 1);
}

fn embedded(path: &std::path::Path) -> SqliteStore {
    SqliteStore::open(
        path,
        std::sync::Arc::new(|reason: &str| panic!("the database failed: {reason}")),
    )
    .unwrap()
}

async fn what_is_committed_is_read(store: &impl Store) {
    store.commit(put(&workflow("w"), None)).await.unwrap();
    let (version, found) = get::<Workflow>(store, "w").await.unwrap();
    assert_eq!((version, found), (version_of("w", 1), workflow("w")));
    assert_eq!(get::<Workflow>(store, "v").await, None);
    assert_eq!(get::<Job>(store, "w").await, None);
    let names = ["v".to_owned(), "w".to_owned()];
    let found = store.definitions::<Workflow>(&Scope::default(), &names).await.unwrap();
    assert_eq!(found.into_keys().collect::<Vec<_>>(), ["w"]);
    assert_eq!(store.count(&Scope::default(), Kind::Workflow).await, Ok(1));
    assert_eq!(store.count(&Scope::default(), Kind::Job).await, Ok(0));
}

async fn a_change_that_was_decided_on_an_old_version_conflicts(store: &impl Store) {
    store.commit(put(&workflow("w"), None)).await.unwrap();
    let first = version_of("w", 1);
    for effect in [Effect::Touch, Effect::Tag(BTreeMap::new())] {
        let (version, _) = get::<Workflow>(store, "w").await.unwrap();
        store.commit(effect_on("w", Some(version), effect)).await.unwrap();
    }
    assert_eq!(get::<Workflow>(store, "w").await.unwrap().0, version_of("w", 3));
    for expected in [
        None,
        Some(first),
        Some(version_of("w", 4)),
        Some(version_of("other", 3)),
    ] {
        let refused = store.commit(put(&workflow("w"), expected.clone())).await;
        assert_eq!(refused, Err(CommitError::Conflict), "{expected:?}");
    }
    store
        .commit(effect_on("w", Some(version_of("w", 3)), Effect::Delete))
        .await
        .unwrap();
    let refused = store
        .commit(effect_on("w", Some(version_of("w", 3)), Effect::Delete))
        .await;
    assert_eq!(refused, Err(CommitError::Conflict));
}

async fn a_conflict_undoes_all_of_its_commit(store: &impl Store) {
    store.commit(put(&workflow("w"), None)).await.unwrap();
    let mut changes = put(&workflow("new"), None);
    changes.rows.extend(put(&workflow("w"), None).rows);
    changes.plans.push(plan("new"));
    assert_eq!(store.commit(changes).await, Err(CommitError::Conflict));
    assert_eq!(get::<Workflow>(store, "new").await, None);
    assert_eq!(store.outbox(10).await, Ok(Vec::new()));
}

async fn one_created_again_is_another(store: &impl Store) {
    store.commit(put(&workflow("w"), None)).await.unwrap();
    store
        .commit(effect_on("w", Some(version_of("w", 1)), Effect::Delete))
        .await
        .unwrap();
    let mut again = put(&workflow("w"), None);
    if let Effect::Put(row) = &mut again.rows[0].effect {
        row.uid = "another".to_owned();
    }
    store.commit(again).await.unwrap();
    // The old one had version 1 as well.
    assert_eq!(
        store.commit(put(&workflow("w"), Some(version_of("w", 1)))).await,
        Err(CommitError::Conflict)
    );
    assert_eq!(get::<Workflow>(store, "w").await.unwrap().0, version_of("another", 1));
}

async fn names_are_paged_in_the_order_of_their_bytes(store: &impl Store) {
    let mut expected = vec!["B", "a", "a b", "aa", "b", "é", "日本", "🚢"];
    for name in expected.iter().rev() {
        store.commit(put(&job(name), None)).await.unwrap();
    }
    for page in 1..=expected.len() + 1 {
        let mut listed = Vec::new();
        let mut after = None;
        loop {
            let names = names(store, Kind::Job, &Filter::default(), after.as_deref(), page).await;
            assert!(names.len() <= page);
            let Some(last) = names.last() else { break };
            after = Some(last.clone());
            listed.extend(names);
        }
        assert_eq!(listed, expected, "pages of {page}");
    }
    // A position whose own row is gone still leads on.
    expected.retain(|name| *name > "aab");
    assert_eq!(
        names(store, Kind::Job, &Filter::default(), Some("aab"), 100).await,
        expected
    );
}

async fn a_filter_keeps_what_has_all_tags(store: &impl Store) {
    let rows: [(&str, Tags<'_>); 5] = [
        ("both", &[("team", "sales"), ("stage", "prod")]),
        ("other", &[("team", "sales"), ("stage", "test")]),
        ("empty", &[("team", ""), ("stage", "prod")]),
        ("none", &[]),
        ("two", &[("team", "sales"), ("stage", "prod"), ("more", "x")]),
    ];
    for (name, tags) in rows {
        let mut changes = put(&job(name), None);
        if let Effect::Put(row) = &mut changes.rows[0].effect {
            row.tags = Some(map(tags));
        }
        store.commit(changes).await.unwrap();
    }
    let wanted: [(Tags<'_>, &[&str]); 6] = [
        (&[], &["both", "empty", "none", "other", "two"]),
        (&[("team", "sales")], &["both", "other", "two"]),
        (&[("team", "sales"), ("stage", "prod")], &["both", "two"]),
        (&[("team", "")], &["empty"]),
        (&[("team", "Sales")], &[]),
        (&[("team", "sales"), ("absent", "")], &[]),
    ];
    for (tags, expected) in wanted {
        let filter = Filter {
            tags: map(tags),
            ..Filter::default()
        };
        assert_eq!(names(store, Kind::Job, &filter, None, 100).await, expected, "{tags:?}");
        let after_both: Vec<&str> = expected.iter().copied().filter(|name| *name > "both").collect();
        assert_eq!(
            names(store, Kind::Job, &filter, Some("both"), 100).await,
            after_both,
            "{tags:?}"
        );
        assert!(names(store, Kind::Job, &filter, None, 1).await.len() <= 1);
    }
    assert_eq!(
        names(store, Kind::Trigger, &Filter::default(), None, 100).await,
        [""; 0]
    );
}

async fn a_filter_keeps_what_starts_a_job(store: &impl Store) {
    for (name, jobs) in [("t1", vec!["a", "b"]), ("t2", vec!["b", "b"]), ("t3", vec![])] {
        store.commit(put(&trigger(name, None, &jobs), None)).await.unwrap();
    }
    let starting = |job: &str| Filter {
        started_job: Some(job.to_owned()),
        ..Filter::default()
    };
    assert_eq!(names(store, Kind::Trigger, &starting("a"), None, 100).await, ["t1"]);
    assert_eq!(
        names(store, Kind::Trigger, &starting("b"), None, 100).await,
        ["t1", "t2"]
    );
    assert_eq!(
        names(store, Kind::Trigger, &starting("b"), Some("t1"), 100).await,
        ["t2"]
    );
    assert_eq!(names(store, Kind::Trigger, &starting("c"), None, 100).await, [""; 0]);
    // A change of the actions is a change of what is found.
    store
        .commit(put(&trigger("t1", None, &["c"]), Some(version_of("t1", 1))))
        .await
        .unwrap();
    assert_eq!(names(store, Kind::Trigger, &starting("b"), None, 100).await, ["t2"]);
    assert_eq!(names(store, Kind::Trigger, &starting("c"), None, 100).await, ["t1"]);
    let tagged = Filter {
        tags: map(&[("k", "v")]),
        ..starting("c")
    };
    assert_eq!(names(store, Kind::Trigger, &tagged, None, 100).await, [""; 0]);
    let tag = Change {
        kind: Kind::Trigger,
        name: "t1".to_owned(),
        expected: Some(version_of("t1", 2)),
        effect: Effect::Tag(map(&[("k", "v")])),
    };
    store
        .commit(Changes {
            rows: vec![tag],
            ..Changes::default()
        })
        .await
        .unwrap();
    assert_eq!(names(store, Kind::Trigger, &tagged, None, 100).await, ["t1"]);
}

async fn a_workflow_knows_its_triggers(store: &impl Store) {
    for (name, workflow) in [("c", Some("w")), ("a", Some("w")), ("b", Some("v")), ("d", None)] {
        store.commit(put(&trigger(name, workflow, &[]), None)).await.unwrap();
    }
    let of = |found: BTreeMap<String, _>| found.into_keys().collect::<Vec<_>>();
    assert_eq!(of(store.triggers_of(&Scope::default(), "w").await.unwrap()), ["a", "c"]);
    assert_eq!(of(store.triggers_of(&Scope::default(), "v").await.unwrap()), ["b"]);
    assert_eq!(of(store.triggers_of(&Scope::default(), "none").await.unwrap()), [""; 0]);
}

async fn tags_are_replaced_and_go_with_their_owner(store: &impl Store) {
    let scope = Scope::default();
    assert_eq!(store.tags(&scope, Kind::Workflow, "w").await, Ok(None));
    store.commit(put(&workflow("w"), None)).await.unwrap();
    assert_eq!(
        store.tags(&scope, Kind::Workflow, "w").await,
        Ok(Some(Tagged {
            version: version_of("w", 1),
            tags: BTreeMap::new()
        }))
    );
    let tags = map(&[("a", "1"), ("b", "")]);
    store
        .commit(effect_on("w", Some(version_of("w", 1)), Effect::Tag(tags.clone())))
        .await
        .unwrap();
    // A row that is put without tags keeps those that it has.
    store
        .commit(put(&workflow("w"), Some(version_of("w", 2))))
        .await
        .unwrap();
    assert_eq!(
        store.tags(&scope, Kind::Workflow, "w").await,
        Ok(Some(Tagged {
            version: version_of("w", 3),
            tags
        }))
    );
    let other = map(&[("b", "2")]);
    store
        .commit(effect_on("w", Some(version_of("w", 3)), Effect::Tag(other.clone())))
        .await
        .unwrap();
    assert_eq!(
        store.tags(&scope, Kind::Workflow, "w").await,
        Ok(Some(Tagged {
            version: version_of("w", 4),
            tags: other
        }))
    );
    store
        .commit(effect_on("w", Some(version_of("w", 4)), Effect::Delete))
        .await
        .unwrap();
    store.commit(put(&workflow("w"), None)).await.unwrap();
    assert_eq!(
        store.tags(&scope, Kind::Workflow, "w").await,
        Ok(Some(Tagged {
            version: version_of("w", 1),
            tags: BTreeMap::new()
        }))
    );
}

async fn scopes_do_not_mix(store: &impl Store) {
    let elsewhere = Scope {
        region: "eu-west-1".to_owned(),
        ..Scope::default()
    };
    store.commit(put(&workflow("w"), None)).await.unwrap();
    store
        .commit(Changes {
            scope: elsewhere.clone(),
            ..put(&workflow("v"), None)
        })
        .await
        .unwrap();
    store
        .commit(Changes {
            scope: elsewhere.clone(),
            ..put(&trigger("t", Some("w"), &["j"]), None)
        })
        .await
        .unwrap();
    assert_eq!(names(store, Kind::Workflow, &Filter::default(), None, 100).await, ["w"]);
    assert_eq!(
        store
            .names(&elsewhere, Kind::Workflow, &Filter::default(), None, 100)
            .await
            .unwrap(),
        ["v"]
    );
    assert_eq!(store.triggers_of(&Scope::default(), "w").await.unwrap().len(), 0);
    let starting = Filter {
        started_job: Some("j".to_owned()),
        ..Filter::default()
    };
    assert_eq!(names(store, Kind::Trigger, &starting, None, 100).await, [""; 0]);
    assert_eq!(store.count(&Scope::default(), Kind::Trigger).await, Ok(0));
}

async fn plans_wait_in_order_until_they_are_published(store: &impl Store) {
    let first = Changes {
        plans: vec![plan("a"), plan("b")],
        ..put(&workflow("w"), None)
    };
    let last = store.commit(first).await.unwrap();
    let next = store
        .commit(Changes {
            plans: vec![plan("c")],
            ..Changes::default()
        })
        .await
        .unwrap();
    assert!(next > last);
    assert_eq!(store.commit(put(&workflow("v"), None)).await, Ok(0));
    let waiting = store.outbox(10).await.unwrap();
    let of: Vec<String> = waiting.iter().map(|publication| plan_name(&publication.plan)).collect();
    assert_eq!(of, ["a", "b", "c"]);
    assert!(
        waiting
            .iter()
            .all(|publication| publication.plan.sequence == publication.sequence)
    );
    assert!(waiting.is_sorted_by(|one, other| one.sequence < other.sequence));
    assert_eq!((waiting[1].sequence, waiting[2].sequence), (last, next));
    assert_eq!(store.outbox(2).await.unwrap(), waiting[..2]);
    store
        .published(vec![waiting[0].sequence, waiting[2].sequence, 1_000])
        .await
        .unwrap();
    assert_eq!(store.outbox(10).await.unwrap(), waiting[1..2]);
}

async fn a_sequence_is_never_given_twice(store: &impl Store) {
    let one = store
        .commit(Changes {
            plans: vec![plan("a")],
            ..Changes::default()
        })
        .await
        .unwrap();
    store.published(vec![one]).await.unwrap();
    let other = store
        .commit(Changes {
            plans: vec![plan("b")],
            ..Changes::default()
        })
        .await
        .unwrap();
    assert!(other > one);
}
