//! What differs between two runs, as lines.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::Timestamp;
use treenail_proto::glue::v1::{Crawl, JobRun, Node, WorkflowRun};

use super::Side;
use crate::graph::{state_word, status_word};

/// By how much two durations differ at the least to be told, in milliseconds: less is chance.
const TOLD_MS_MIN: i64 = 1_000;
/// By what part of the shorter one they differ at the least, in percent.
const TOLD_PERCENT_MIN: i64 = 50;

/// One line a difference, `what: one | other`; `-` stands for what is not there.
pub(super) fn differences(one: &Side, other: &Side) -> Vec<String> {
    let mut lines = Lines(Vec::new());
    let of_sides = |value: fn(&Side) -> Option<String>| (value(one), value(other));
    lines.compare("workflow", of_sides(|side| side.run.name.clone()));
    lines.compare(
        "version of the definition",
        of_sides(|side| side.plan_version.map(|version| version.to_string())),
    );
    lines.compare(
        "status",
        of_sides(|side| Some(status_word(side.run.status()).to_owned())),
    );
    lines.compare("error", of_sides(|side| side.run.error_message.clone()));
    let (one, other) = (&one.run, &other.run);
    lines.compare_properties(one, other);

    let nodes = (nodes(one), nodes(other));
    let names: BTreeSet<&str> = nodes.0.keys().chain(nodes.1.keys()).copied().collect();
    for name in names {
        let pair = (nodes.0.get(name), nodes.1.get(name));
        lines.compare(name, (pair.0.map(outcome), pair.1.map(outcome)));
        lines.compare_times(&format!("{name} took"), pair.0.and_then(span), pair.1.and_then(span));
    }
    lines.compare_times("the run took", whole_span(one), whole_span(other));
    lines.compare_order("started", &order(&nodes.0, first_start), &order(&nodes.1, first_start));
    lines.compare_order("ended", &order(&nodes.0, last_end), &order(&nodes.1, last_end));
    lines.0
}

/// What ran in a node, oldest first.
#[derive(Clone, Copy)]
enum Ran<'a> {
    Jobs(&'a [JobRun]),
    Crawls(&'a [Crawl]),
}

struct Lines(Vec<String>);

impl Lines {
    fn compare(&mut self, what: &str, (one, other): (Option<String>, Option<String>)) {
        if one != other {
            let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            self.0.push(format!("{what}: {} | {}", text(one), text(other)));
        }
    }

    fn compare_properties(&mut self, one: &WorkflowRun, other: &WorkflowRun) {
        let keys = |run: &WorkflowRun| run.workflow_run_properties.keys().cloned().collect::<BTreeSet<_>>();
        for key in keys(one).union(&keys(other)) {
            let value = |run: &WorkflowRun| run.workflow_run_properties.get(key).cloned();
            self.compare(&format!("property {key}"), (value(one), value(other)));
        }
    }

    fn compare_times(&mut self, what: &str, one: Option<i64>, other: Option<i64>) {
        let (Some(one), Some(other)) = (one, other) else { return };
        let difference = (one - other).abs();
        if difference >= TOLD_MS_MIN && difference * 100 >= one.min(other) * TOLD_PERCENT_MIN {
            let text = |millis: i64| Some(format!("{}.{} s", millis / 1_000, millis % 1_000 / 100));
            self.compare(what, (text(one), text(other)));
        }
    }

    /// Tells where two orders part, among the nodes that both have.
    fn compare_order(&mut self, verb: &str, one: &[&str], other: &[&str]) {
        let common = |names: &[&str], others: &[&str]| {
            let others: BTreeSet<&str> = others.iter().copied().collect();
            let names = names.iter().filter(|name| others.contains(*name));
            names.map(|name| (*name).to_owned()).collect::<Vec<_>>()
        };
        let (one, other) = (common(one, other), common(other, one));
        let Some(parting) = one.iter().zip(&other).position(|(one, other)| one != other) else {
            return;
        };
        let what = match parting.checked_sub(1) {
            Some(before) => format!("{verb} next after {}", one[before]),
            None => format!("{verb} first"),
        };
        self.compare(&what, (Some(one[parting].clone()), Some(other[parting].clone())));
    }
}

/// What ran in the nodes for jobs and crawlers, by name.
fn nodes(run: &WorkflowRun) -> BTreeMap<&str, Ran<'_>> {
    let nodes = run.graph.iter().flat_map(|graph| &graph.nodes);
    nodes.filter_map(|node| Some((node.name(), ran(node)?))).collect()
}

fn ran(node: &Node) -> Option<Ran<'_>> {
    let jobs = node.job_details.as_ref().map(|details| Ran::Jobs(&details.job_runs));
    let crawls = || {
        node.crawler_details
            .as_ref()
            .map(|details| Ran::Crawls(&details.crawls))
    };
    jobs.or_else(crawls)
}

/// How the attempts of a node ended, in order.
fn outcome(ran: &Ran<'_>) -> String {
    let with_error = |state: &str, error: Option<&str>| match error {
        Some(error) => format!("{state} ({error})"),
        None => state.to_owned(),
    };
    let words: Vec<String> = match ran {
        Ran::Jobs(runs) => runs
            .iter()
            .map(|run| with_error(state_word(run.job_run_state()), run.error_message.as_deref()))
            .collect(),
        Ran::Crawls(crawls) => crawls
            .iter()
            .map(|crawl| {
                let state = crawl.state().as_str_name().trim_start_matches("CRAWL_STATE_");
                with_error(state, crawl.error_message.as_deref())
            })
            .collect(),
    };
    if words.is_empty() {
        "did not run".to_owned()
    } else {
        words.join(", then ")
    }
}

/// How long a node took, from its first start to its last end, in milliseconds.
fn span(ran: &Ran<'_>) -> Option<i64> {
    Some(last_end(ran)?.0 - first_start(ran)?.0)
}

fn whole_span(run: &WorkflowRun) -> Option<i64> {
    Some(millis(run.completed_on.as_ref()?) - millis(run.started_on.as_ref()?))
}

/// When a node started first, and the id of what ran: ids sort as they were drawn.
fn first_start<'a>(ran: &Ran<'a>) -> Option<(i64, &'a str)> {
    match ran {
        Ran::Jobs(runs) => runs
            .first()
            .and_then(|run| Some((millis(run.started_on.as_ref()?), run.id()))),
        Ran::Crawls(crawls) => crawls
            .first()
            .and_then(|crawl| Some((millis(crawl.started_on.as_ref()?), ""))),
    }
}

/// When a node ended last.
fn last_end<'a>(ran: &Ran<'a>) -> Option<(i64, &'a str)> {
    match ran {
        Ran::Jobs(runs) => runs
            .last()
            .and_then(|run| Some((millis(run.completed_on.as_ref()?), ""))),
        Ran::Crawls(crawls) => crawls
            .last()
            .and_then(|crawl| Some((millis(crawl.completed_on.as_ref()?), ""))),
    }
}

/// The nodes in the order of a time; of those at one time, in the order of their ids or names.
fn order<'a>(nodes: &BTreeMap<&'a str, Ran<'a>>, time: impl Fn(&Ran<'a>) -> Option<(i64, &'a str)>) -> Vec<&'a str> {
    let mut times: Vec<_> = nodes
        .iter()
        .filter_map(|(name, ran)| Some((time(ran)?, *name)))
        .collect();
    times.sort_unstable();
    times.into_iter().map(|(_, name)| name).collect()
}

fn millis(time: &Timestamp) -> i64 {
    time.seconds * 1_000 + i64::from(time.nanos) / 1_000_000
}

#[cfg(test)]
mod tests {
    use treenail_proto::glue::v1::{JobNodeDetails, JobRunState, WorkflowGraph, WorkflowRunStatus};

    use JobRunState::{Failed, Succeeded};

    use super::*;

    /// An attempt: its state, and its start and end in milliseconds.
    type Attempt = (JobRunState, i64, i64);

    /// A run of a day, with each job's attempts.
    fn side(day: &str, jobs: &[(&str, &[Attempt])]) -> Side {
        let at = |millis: i64| {
            Some(Timestamp {
                seconds: millis / 1_000,
                nanos: i32::try_from(millis % 1_000).unwrap_or(0) * 1_000_000,
            })
        };
        let attempt = |&(state, from, to): &Attempt| JobRun {
            job_run_state: Some(state.into()),
            started_on: at(from),
            completed_on: at(to),
            ..JobRun::default()
        };
        let node = |(name, attempts): &(&str, &[Attempt])| Node {
            name: Some((*name).to_owned()),
            job_details: Some(JobNodeDetails {
                job_runs: attempts.iter().map(attempt).collect(),
            }),
            ..Node::default()
        };
        let run = WorkflowRun {
            status: Some(WorkflowRunStatus::Completed.into()),
            workflow_run_properties: [("day".to_owned(), day.to_owned())].into(),
            graph: Some(WorkflowGraph {
                nodes: jobs.iter().map(node).collect(),
                edges: Vec::new(),
            }),
            ..WorkflowRun::default()
        };
        Side {
            run,
            plan_version: Some(1),
        }
    }

    fn check(one: &Side, other: &Side, expected: &[&str]) {
        assert_eq!(differences(one, other), expected);
    }

    #[test]
    fn what_differs_is_told_and_nothing_else() {
        let one = side("1", &[("load", &[(Succeeded, 0, 10)])]);
        check(&one, &one, &[]);
        let other = side("2", &[("load", &[(Failed, 0, 10), (Succeeded, 20, 30)])]);
        let expected = ["property day: 1 | 2", "load: SUCCEEDED | FAILED, then SUCCEEDED"];
        check(&one, &other, &expected);
        check(&one, &side("1", &[("load", &[])]), &["load: SUCCEEDED | did not run"]);
        check(&one, &side("1", &[]), &["load: SUCCEEDED | -"]);
    }

    #[test]
    fn definitions_and_errors_are_compared() {
        let one = side("1", &[]);
        let mut other = side("1", &[]);
        other.plan_version = Some(3);
        other.run.error_message = Some("no".to_owned());
        check(&one, &other, &["version of the definition: 1 | 3", "error: - | no"]);
    }

    #[test]
    fn durations_are_told_when_they_differ_by_more_than_chance() {
        let one = side("1", &[("load", &[(Succeeded, 0, 1_500)])]);
        check(&one, &side("1", &[("load", &[(Succeeded, 0, 2_400)])]), &[]);
        check(
            &one,
            &side("1", &[("load", &[(Succeeded, 0, 2_500)])]),
            &["load took: 1.5 s | 2.5 s"],
        );
        let (long, longer) = (
            side("1", &[("load", &[(Succeeded, 0, 600_000)])]),
            side("1", &[("load", &[(Succeeded, 0, 630_000)])]),
        );
        check(&long, &longer, &[]);
        let retried = side("1", &[("load", &[(Succeeded, 0, 10), (Succeeded, 5_000, 5_010)])]);
        let expected = [
            "load: SUCCEEDED | SUCCEEDED, then SUCCEEDED",
            "load took: 1.5 s | 5.0 s",
        ];
        check(&one, &retried, &expected);
    }

    #[test]
    fn the_first_place_where_the_order_differs_is_told() {
        let of = |a: i64, b: i64, c: i64| {
            let span = |at: i64| [(Succeeded, at, at + 5)];
            side("1", &[("a", &span(a)), ("b", &span(b)), ("c", &span(c))])
        };
        let expected = ["started next after a: b | c", "ended next after a: b | c"];
        check(&of(0, 10, 20), &of(0, 20, 10), &expected);
        check(
            &of(0, 10, 20),
            &of(30, 10, 20),
            &["started first: a | b", "ended first: a | b"],
        );
        // What ran in only one of them has no place in the order of both.
        let fewer = side("1", &[("b", &[(Succeeded, 10, 15)]), ("c", &[(Succeeded, 20, 25)])]);
        check(&of(0, 10, 20), &fewer, &["a: SUCCEEDED | -"]);
    }
}
