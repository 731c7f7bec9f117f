//! What every store must do, whatever it is made of.

use std::collections::BTreeMap;

use treenail_rpc::Scope;

use super::Store;
use crate::{
    error::Error,
    properties::{Limits, Properties, Put, Run, RunKey, Seed, TooLarge},
    recent::Fingerprint,
};

const LIMITS: Limits = Limits {
    properties_max: 3,
    bytes_max: 30,
};

/// Proves a store; `make` makes one without runs.
pub(crate) async fn all<S: Store>(mut make: impl AsyncFnMut() -> S) {
    a_seeded_run_has_its_properties(&make().await).await;
    a_run_that_was_given_properties_keeps_them(&make().await).await;
    a_seed_copies_from_another_run(&make().await).await;
    a_put_is_laid_over_what_is_there(&make().await).await;
    a_put_that_is_refused_changes_nothing(&make().await).await;
    a_put_up_to_the_limits_is_taken(&make().await).await;
    many_runs_are_read_at_once(&make().await).await;
    a_forgotten_run_is_gone_and_its_neighbours_stay(&make().await).await;
    texts_come_back_as_they_were(&make().await).await;
    puts_at_the_same_time_are_all_kept(&make().await).await;
    a_repetition_that_comes_late_changes_nothing(&make().await).await;
}

async fn a_seeded_run_has_its_properties(store: &impl Store) {
    assert_eq!(store.get(&key("wr_1")).await.unwrap(), None);
    store
        .seed(vec![seed("wr_1", &[("a", "1"), ("b", "")]), seed("wr_2", &[])])
        .await
        .unwrap();
    assert_eq!(
        store.get(&key("wr_1")).await.unwrap(),
        Some(run(&[("a", "1"), ("b", "")]))
    );
    assert_eq!(store.get(&key("wr_2")).await.unwrap(), Some(run(&[])));
    let elsewhere = RunKey {
        scope: scope("eu-west-1"),
        ..key("wr_1")
    };
    assert_eq!(store.get(&elsewhere).await.unwrap(), None);
}

async fn a_run_that_was_given_properties_keeps_them(store: &impl Store) {
    store.seed(vec![seed("wr_1", &[("a", "1")])]).await.unwrap();
    store.put(put("wr_1", &[("a", "2")]), LIMITS).await.unwrap();
    store
        .seed(vec![
            seed("wr_1", &[("a", "3"), ("b", "3")]),
            seed("wr_2", &[("c", "3")]),
        ])
        .await
        .unwrap();
    assert_eq!(store.get(&key("wr_1")).await.unwrap(), Some(run(&[("a", "2")])));
    assert_eq!(store.get(&key("wr_2")).await.unwrap(), Some(run(&[("c", "3")])));
}

async fn a_seed_copies_from_another_run(store: &impl Store) {
    let copying = |run_id, from: &str, properties| Seed {
        copy_from_run_id: Some(from.to_owned()),
        ..seed(run_id, properties)
    };
    store.seed(vec![seed("wr_1", &[("a", "1"), ("b", "1")])]).await.unwrap();
    store.put(put("wr_1", &[("b", "2")]), LIMITS).await.unwrap();
    let in_order = vec![
        copying("wr_2", "wr_1", &[("c", "3")]),
        copying("wr_3", "wr_2", &[("a", "4")]),
    ];
    store.seed(in_order).await.unwrap();
    assert_eq!(
        store.get(&key("wr_2")).await.unwrap(),
        Some(run(&[("a", "1"), ("b", "2"), ("c", "3")]))
    );
    assert_eq!(
        store.get(&key("wr_3")).await.unwrap(),
        Some(run(&[("a", "4"), ("b", "2"), ("c", "3")]))
    );

    store
        .seed(vec![copying("wr_4", "wr_unknown", &[("d", "5")])])
        .await
        .unwrap();
    assert_eq!(store.get(&key("wr_4")).await.unwrap(), Some(run(&[("d", "5")])));

    let mut elsewhere = copying("wr_5", "wr_1", &[]);
    elsewhere.run.scope = scope("eu-west-1");
    let run_elsewhere = elsewhere.run.clone();
    store.seed(vec![elsewhere]).await.unwrap();
    assert_eq!(store.get(&run_elsewhere).await.unwrap(), Some(run(&[])));
}

async fn a_put_is_laid_over_what_is_there(store: &impl Store) {
    store.seed(vec![seed("wr_1", &[("a", "1"), ("b", "1")])]).await.unwrap();
    for _ in 0..2 {
        store.put(put("wr_1", &[("b", "2"), ("c", "2")]), LIMITS).await.unwrap();
        assert_eq!(
            store.get(&key("wr_1")).await.unwrap(),
            Some(run(&[("a", "1"), ("b", "2"), ("c", "2")]))
        );
    }
    store.put(put("wr_1", &[]), LIMITS).await.unwrap();
    assert_eq!(
        store.get(&key("wr_1")).await.unwrap(),
        Some(run(&[("a", "1"), ("b", "2"), ("c", "2")]))
    );
}

async fn a_repetition_that_comes_late_changes_nothing(store: &impl Store) {
    seed_one(store).await.unwrap();
    let of_call = |value: &str, call: &str| Put {
        call: Some(Fingerprint::of(call)),
        ..put("wr_one", &[("value", value)])
    };
    store.put(of_call("first", "1"), LIMITS).await.unwrap();
    store.put(of_call("second", "2"), LIMITS).await.unwrap();
    store.put(of_call("first", "1"), LIMITS).await.unwrap();
    assert_eq!(value(store).await.as_deref(), Some("second"));
    // What does not say which call it is of is never a repetition.
    put_one(store, "third").await.unwrap();
    put_one(store, "third").await.unwrap();
    assert_eq!(value(store).await.as_deref(), Some("third"));
}

async fn a_put_that_is_refused_changes_nothing(store: &impl Store) {
    store.seed(vec![seed("wr_1", &[("a", "1")])]).await.unwrap();
    let fifty = "x".repeat(50);
    let too_many = TooLarge::Properties { properties_max: 3 };
    let too_long = TooLarge::Bytes { bytes_max: 30 };
    let other_workflow = Put {
        workflow: "another".to_owned(),
        ..put("wr_1", &[("a", "2")])
    };
    let elsewhere = RunKey {
        scope: scope("eu-west-1"),
        ..key("wr_1")
    };
    let rows = [
        (other_workflow, None),
        (put("wr_unknown", &[("a", "2")]), None),
        (
            Put {
                run: elsewhere,
                ..put("wr_1", &[("a", "2")])
            },
            None,
        ),
        (
            put("wr_1", &[("a", "2"), ("b", "2"), ("c", "2"), ("d", "2")]),
            Some(too_many),
        ),
        (put("wr_1", &[("a", &fifty)]), Some(too_long)),
        (put("wr_1", &[("a", "ü"), (&fifty, "2")]), Some(too_long)),
    ];
    for (put, limit) in rows {
        let refusal = store.put(put.clone(), LIMITS).await.unwrap_err();
        match limit {
            None => assert!(matches!(refusal, Error::RunNotFound), "{put:?}: {refusal:?}"),
            Some(limit) => assert!(
                matches!(refusal, Error::TooLarge(exceeded) if exceeded == limit),
                "{put:?}"
            ),
        }
        assert_eq!(
            store.get(&key("wr_1")).await.unwrap(),
            Some(run(&[("a", "1")])),
            "{put:?}"
        );
    }
    assert_eq!(store.get(&key("wr_unknown")).await.unwrap(), None);
}

async fn a_put_up_to_the_limits_is_taken(store: &impl Store) {
    store.seed(vec![seed("wr_1", &[])]).await.unwrap();
    // Three properties and thirty bytes: six in keys, two in "ü".
    let full = [("ka", "ü"), ("kb", "0123456789"), ("kc", "0123456789ab")];
    store.put(put("wr_1", &full), LIMITS).await.unwrap();
    assert_eq!(store.get(&key("wr_1")).await.unwrap(), Some(run(&full)));
    store.put(put("wr_1", &[("kb", "9876543210")]), LIMITS).await.unwrap();
    let one_more = store
        .put(put("wr_1", &[("kb", "98765432100")]), LIMITS)
        .await
        .unwrap_err();
    assert!(matches!(one_more, Error::TooLarge(TooLarge::Bytes { bytes_max: 30 })));
}

async fn many_runs_are_read_at_once(store: &impl Store) {
    store
        .seed(vec![
            seed("wr_1", &[("a", "1")]),
            seed("wr_2", &[]),
            seed("wr_3", &[("a", "3")]),
        ])
        .await
        .unwrap();
    let wanted = ["wr_3", "wr_unknown", "wr_1", "wr_2", "wr_1"]
        .map(str::to_owned)
        .to_vec();
    let found = store.get_many(&scope("us-east-1"), wanted.clone()).await.unwrap();
    let expected = [
        ("wr_1".to_owned(), properties(&[("a", "1")])),
        ("wr_2".to_owned(), properties(&[])),
        ("wr_3".to_owned(), properties(&[("a", "3")])),
    ];
    assert_eq!(found, BTreeMap::from(expected));
    assert_eq!(
        store.get_many(&scope("eu-west-1"), wanted).await.unwrap(),
        BTreeMap::new()
    );
    assert_eq!(
        store.get_many(&scope("us-east-1"), Vec::new()).await.unwrap(),
        BTreeMap::new()
    );
}

async fn a_forgotten_run_is_gone_and_its_neighbours_stay(store: &impl Store) {
    store
        .seed(vec![seed("wr_1", &[("a", "1")]), seed("wr_2", &[("a", "2")])])
        .await
        .unwrap();
    store
        .forget(&scope("eu-west-1"), vec!["wr_2".to_owned()])
        .await
        .unwrap();
    for _ in 0..2 {
        store
            .forget(&scope("us-east-1"), vec!["wr_1".to_owned(), "wr_unknown".to_owned()])
            .await
            .unwrap();
        assert_eq!(store.get(&key("wr_1")).await.unwrap(), None);
        assert_eq!(store.get(&key("wr_2")).await.unwrap(), Some(run(&[("a", "2")])));
    }
    // A run of that id may be given properties again and finds none of the old ones.
    store.seed(vec![seed("wr_1", &[("b", "3")])]).await.unwrap();
    assert_eq!(store.get(&key("wr_1")).await.unwrap(), Some(run(&[("b", "3")])));
}

async fn texts_come_back_as_they_were(store: &impl Store) {
    let long = "value ".repeat(20_000);
    let texts = [
        ("aws:eventIds", "1,2"),
        ("Ключ 🗝", "'; DROP TABLE runs; --\t\n"),
        ("A", "\u{fffd}"),
        ("a", &long),
    ];
    store.seed(vec![seed("wr_1", &texts)]).await.unwrap();
    assert_eq!(store.get(&key("wr_1")).await.unwrap(), Some(run(&texts)));
}

async fn puts_at_the_same_time_are_all_kept(store: &impl Store) {
    store.seed(vec![seed("wr_1", &[])]).await.unwrap();
    let (a, b, c) = tokio::join!(
        store.put(put("wr_1", &[("a", "1")]), LIMITS),
        store.put(put("wr_1", &[("b", "2")]), LIMITS),
        store.put(put("wr_1", &[("c", "3")]), LIMITS),
    );
    a.and(b).and(c).unwrap();
    assert_eq!(
        store.get(&key("wr_1")).await.unwrap(),
        Some(run(&[("a", "1"), ("b", "2"), ("c", "3")]))
    );
}

/// Gives the run `wr_one` no properties, for tests of one store only.
pub(crate) async fn seed_one(store: &impl Store) -> Result<(), Error> {
    store.seed(vec![seed("wr_one", &[])]).await
}

/// Puts a value into the run `wr_one`.
pub(crate) async fn put_one(store: &impl Store, value: &str) -> Result<(), Error> {
    store.put(put("wr_one", &[("value", value)]), LIMITS).await
}

/// The value of the run `wr_one`.
pub(crate) async fn value(store: &impl Store) -> Option<String> {
    store.get(&key("wr_one")).await.unwrap()?.properties.remove("value")
}

fn scope(region: &str) -> Scope {
    Scope {
        region: region.to_owned(),
        ..Scope::default()
    }
}

fn key(run_id: &str) -> RunKey {
    RunKey {
        scope: scope("us-east-1"),
        run_id: run_id.to_owned(),
    }
}

fn properties(pairs: &[(&str, &str)]) -> Properties {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn run(pairs: &[(&str, &str)]) -> Run {
    Run {
        workflow: "nightly".to_owned(),
        properties: properties(pairs),
    }
}

fn seed(run_id: &str, pairs: &[(&str, &str)]) -> Seed {
    Seed {
        run: key(run_id),
        workflow: "nightly".to_owned(),
        copy_from_run_id: None,
        properties: properties(pairs),
    }
}

fn put(run_id: &str, pairs: &[(&str, &str)]) -> Put {
    Put {
        call: None,
        run: key(run_id),
        workflow: "nightly".to_owned(),
        properties: properties(pairs),
    }
}
