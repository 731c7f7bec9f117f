//! How names in proto files become names in AWS JSON.

/// How a file's fields are spelled in AWS JSON: `treenail.aws.v1.WireCase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireCase {
    Upper,
    Lower,
}

impl WireCase {
    /// `max_concurrent_runs` → `MaxConcurrentRuns` or `maxConcurrentRuns`.
    pub(super) fn apply(self, name: &str) -> String {
        let upper = camel(name);
        match self {
            WireCase::Upper => upper,
            WireCase::Lower => lower_first(&upper),
        }
    }
}

/// A member's name in the paths of AWS's validation messages: `LogicalOperator` → `logicalOperator`.
pub(super) fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

/// An enum value's name without its enum's prefix: `WORKFLOW_RUN_STATUS_RUNNING` → `RUNNING`.
pub(super) fn without_prefix(enumeration: &str, value: &str) -> String {
    let prefix = format!("{}_", upper_snake(enumeration));
    value.strip_prefix(&prefix).unwrap_or(value).to_owned()
}

fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split('_') {
        let mut characters = word.chars();
        out.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(characters.as_str());
    }
    out
}

fn upper_snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (index, character) in name.chars().enumerate() {
        if character.is_ascii_uppercase() && index > 0 {
            out.push('_');
        }
        out.push(character.to_ascii_uppercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{WireCase, lower_first, without_prefix};

    #[test]
    fn fields_are_spelled_in_the_case_of_their_file() {
        let rows = [
            ("name", "Name", "name"),
            ("max_concurrent_runs", "MaxConcurrentRuns", "maxConcurrentRuns"),
            ("s3_path", "S3Path", "s3Path"),
            ("_odd__name", "OddName", "oddName"),
        ];
        for (field, upper, lower) in rows {
            assert_eq!(WireCase::Upper.apply(field), upper);
            assert_eq!(WireCase::Lower.apply(field), lower);
        }
    }

    #[test]
    fn enum_values_lose_their_prefix() {
        let rows = [
            ("WorkflowRunStatus", "WORKFLOW_RUN_STATUS_RUNNING", "RUNNING"),
            ("Logical", "LOGICAL_AND", "AND"),
            ("Logical", "OTHER_AND", "OTHER_AND"),
        ];
        for (enumeration, value, spelling) in rows {
            assert_eq!(without_prefix(enumeration, value), spelling);
        }
    }

    #[test]
    fn paths_begin_in_lower_case() {
        assert_eq!(lower_first("LogicalOperator"), "logicalOperator");
        assert_eq!(lower_first(""), "");
    }
}
