//! docs/compatibility.md against the contract.

use std::collections::{BTreeMap, BTreeSet};

use treenail_proto::contract;

use crate::repository::file;

const DOCUMENT: &str = "docs/compatibility.md";

/// A service of AWS as the document has it: its heading, the prefix of its targets and how many operations it has.
const SERVICES: &[(&str, &str, usize)] = &[("AWS Glue", "AWSGlue", 314), ("AWS Data Pipeline", "DataPipeline", 19)];
const OWN: &str = "Treenail's own operations";
const STATES: &[&str] = &["runs", "stored", "not yet"];

#[test]
fn every_operation_of_aws_has_one_row_with_a_state() {
    for (service, _, count) in SERVICES {
        let rows = rows(service);
        let names: BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(
            names.len(),
            rows.len(),
            "{DOCUMENT} lists an operation of {service} twice"
        );
        assert_eq!(rows.len(), *count, "{DOCUMENT} must list every operation of {service}");
        for row in rows {
            assert!(
                STATES.contains(&row[1].as_str()),
                "{DOCUMENT}: {} has the state {:?}",
                row[0],
                row[1]
            );
        }
    }
}

#[test]
fn what_is_said_to_run_is_what_the_contract_has() {
    let mut listed = BTreeSet::new();
    for (service, prefix, _) in SERVICES {
        // What is stored is in the contract too; what is not yet is not.
        let present = rows(service).into_iter().filter(|row| row[1] != "not yet");
        listed.extend(present.map(|row| format!("{prefix}.{}", row[0])));
    }
    listed.extend(rows(OWN).into_iter().map(|row| row[0].clone()));
    let contract: BTreeSet<String> = contract::operations()
        .iter()
        .filter_map(|operation| operation.target.clone())
        .collect();
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| one.difference(other).cloned().collect::<Vec<_>>();
    assert_eq!(
        only(&contract, &listed),
        [""; 0],
        "in the contract and not in {DOCUMENT}"
    );
    assert_eq!(
        only(&listed, &contract),
        [""; 0],
        "in {DOCUMENT} and not in the contract"
    );
}

#[test]
fn our_own_operations_are_none_of_awss() {
    let of_aws: BTreeSet<String> = SERVICES
        .iter()
        .flat_map(|(service, prefix, _)| rows(service).into_iter().map(move |row| format!("{prefix}.{}", row[0])))
        .collect();
    let confused: Vec<_> = rows(OWN).into_iter().filter(|row| of_aws.contains(&row[0])).collect();
    assert!(confused.is_empty(), "{confused:?}");
}

#[test]
fn the_summary_counts_right() {
    let summary: BTreeMap<String, Vec<String>> = rows("Compatibility")
        .into_iter()
        .map(|row| (row[0].clone(), row[1..].to_vec()))
        .collect();
    for (service, ..) in SERVICES {
        let rows = rows(service);
        let in_state = |state: &&str| rows.iter().filter(|row| row[1] == **state).count();
        let counts: Vec<String> = [rows.len()]
            .into_iter()
            .chain(STATES.iter().map(in_state))
            .map(|count| count.to_string())
            .collect();
        assert_eq!(
            summary.get(*service),
            Some(&counts),
            "{DOCUMENT}: the summary of {service}"
        );
    }
}

/// The cells of all table rows below a heading, without the tables' own headings.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let text = file(DOCUMENT).text;
    let section = text
        .split("\n## ")
        .find(|section| section.trim_start_matches("# ").lines().next() == Some(heading))
        .unwrap_or_else(|| panic!("{DOCUMENT} has no section {heading:?}"));
    let lines: Vec<&str> = section.lines().collect();
    let is_rule = |line: &&str| line.starts_with("| ---");
    let mut rows = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let is_heading = lines.get(number + 1).is_some_and(is_rule);
        if line.starts_with('|') && !is_rule(line) && !is_heading {
            let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
            rows.push(cells.collect());
        }
    }
    rows
}
