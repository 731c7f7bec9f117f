//! Properties are linearizable, run by run and key by key.
//!
//! Every value is put once, so a history splits into zones, one a value: all that the put of the value and the gets of it
//! force to lie together. It is linearizable exactly when no get comes before its put, no two forward zones overlap, and
//! no backward zone lies within a forward one (Gibbons and Korach, "Testing Shared Memories").

use std::collections::{BTreeMap, BTreeSet};

use super::{Evidence, Violation, ensure};
use crate::history::{Answer, Call};

/// Every get gives what the last put before it left, for some order of the calls that respects who came after whom.
pub(super) fn properties_are_linearizable(evidence: &Evidence<'_>) -> Result<(), Violation> {
    let mut registers: BTreeMap<(&str, &str), Register<'_>> = BTreeMap::new();
    let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for operation in evidence.operations {
        if let Call::Put { run, key, value } = &operation.call {
            keys.entry(run).or_default().insert(key);
            let zone = registers
                .entry((run, key))
                .or_default()
                .zones
                .entry(Some(value))
                .or_default();
            zone.put = Some((operation.called, operation.answered));
            zone.is_refused = matches!(operation.answer, Answer::Refused(_));
        }
    }
    for operation in evidence.operations {
        if let (Call::Get { run }, Answer::Properties(properties)) = (&operation.call, &operation.answer) {
            for key in keys.get(run.as_str()).into_iter().flatten() {
                let value = properties.get(*key).map(String::as_str);
                let zone = registers.entry((run, key)).or_default().zones.entry(value).or_default();
                zone.gets.push((operation.called, operation.answered));
            }
        }
    }
    for ((run, key), register) in registers {
        register
            .check()
            .map_err(|Violation(why)| Violation(format!("{key} of {run} is not linearizable: {why}")))?;
    }
    Ok(())
}

/// One key of one run.
#[derive(Debug, Default)]
struct Register<'a> {
    /// By value; no value is what was there at the start.
    zones: BTreeMap<Option<&'a str>, Zone>,
}

/// What concerns one value: when it was put, and when it was got.
#[derive(Debug, Default)]
struct Zone {
    put: Option<(u64, u64)>,
    is_refused: bool,
    gets: Vec<(u64, u64)>,
}

impl Register<'_> {
    fn check(mut self) -> Result<(), Violation> {
        self.zones.entry(None).or_default().put = Some((0, 0));
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        for (value, zone) in &self.zones {
            let Some((put_called, put_answered)) = zone.put else {
                return Err(Violation(format!("{value:?} was got and never put")));
            };
            ensure(!zone.is_refused || zone.gets.is_empty(), || {
                format!("{value:?} was got; its put was refused")
            })?;
            // What nobody got and nobody knows of need not have happened.
            if zone.is_refused || zone.gets.is_empty() && put_answered == u64::MAX {
                continue;
            }
            ensure(zone.gets.iter().all(|(_, answered)| *answered > put_called), || {
                format!("{value:?} was got before it was put")
            })?;
            let all = || zone.gets.iter().copied().chain([(put_called, put_answered)]);
            let first_answer = all().map(|(_, answered)| answered).min().unwrap_or_default();
            let last_call = all().map(|(called, _)| called).max().unwrap_or_default();
            if first_answer < last_call {
                forward.push((first_answer, last_call, *value));
            } else {
                backward.push((last_call, first_answer, *value));
            }
        }
        forward.sort_unstable();
        for pair in forward.windows(2) {
            let ((_, end, one), (start, _, other)) = (pair[0], pair[1]);
            ensure(end < start, || format!("{one:?} and {other:?} were there by turns"))?;
        }
        for (start, end, value) in backward {
            let around = forward.iter().find(|(from, to, _)| *from < start && end < *to);
            ensure(around.is_none(), || {
                format!("{value:?} was put and lost within {around:?}")
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{End, Operation};

    fn put(value: &str, called: u64, answered: u64) -> Operation {
        let call = Call::Put {
            run: "w/r".into(),
            key: "k".into(),
            value: value.into(),
        };
        let answer = if answered == u64::MAX {
            Answer::Unknown
        } else {
            Answer::Done(None)
        };
        Operation {
            call,
            called,
            answered,
            answer,
        }
    }

    fn get(value: &str, called: u64, answered: u64) -> Operation {
        let properties = [("k".to_owned(), value.to_owned())];
        Operation {
            call: Call::Get { run: "w/r".into() },
            called,
            answered,
            answer: Answer::Properties(properties.into_iter().filter(|(_, value)| !value.is_empty()).collect()),
        }
    }

    #[test]
    fn histories_are_judged() {
        let rows: [(bool, Vec<Operation>); 9] = [
            (true, vec![put("a", 1, 2), get("a", 3, 4)]),
            (true, vec![get("", 1, 2), put("a", 3, 4)]),
            (true, vec![put("a", 1, 8), get("", 2, 3), get("a", 4, 5)]),
            (true, vec![put("a", 1, u64::MAX), get("", 2, 3), get("a", 4, 5)]),
            (true, vec![put("a", 1, 6), put("b", 2, 5), get("b", 7, 8)]),
            // A put that was answered is not seen.
            (false, vec![put("a", 1, 2), get("", 3, 4)]),
            // What was seen is gone again.
            (false, vec![put("a", 1, 8), get("a", 2, 3), get("", 4, 5)]),
            // An older value comes back.
            (
                false,
                vec![put("a", 1, 2), put("b", 3, 4), get("b", 5, 6), get("a", 7, 8)],
            ),
            // A value that nobody put.
            (false, vec![put("a", 1, 2), get("c", 3, 4)]),
        ];
        for (is_linearizable, operations) in rows {
            let evidence = Evidence {
                operations: &operations,
                end: &End::default(),
                executions: &[],
            };
            let judged = properties_are_linearizable(&evidence);
            assert_eq!(judged.is_ok(), is_linearizable, "{operations:?}: {judged:?}");
        }
    }
}
