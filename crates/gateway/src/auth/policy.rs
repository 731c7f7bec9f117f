//! Policies in the form of AWS's: statements that allow or deny actions on resources.
//!
//! What is not allowed is denied, and a deny wins over any allow (`IAM: policy evaluation logic`). Only what is fully
//! understood is taken: a policy with any other element, or a condition that is not ours, is refused, never read as if it
//! had none.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::{
    condition::{self, Circumstances, Condition, Written},
    written::OneOrMany,
};

/// How large the text of a policy may be, in bytes.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// What a key allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is longer than any policy.
    #[error("a policy has at most {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// The text is not what it ought to be.
    #[error("not a policy that is understood: {0}")]
    NotUnderstood(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Document {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "a name for people, which is taken and says nothing")]
    id: Option<String>,
    statement: OneOrMany<WrittenStatement>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct WrittenStatement {
    #[serde(default)]
    #[expect(dead_code, reason = "a name for people, which is taken and says nothing")]
    sid: Option<String>,
    effect: Effect,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    #[serde(default)]
    condition: Written,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    effect: Effect,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// When it is not fully understood.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Error::TooLong);
        }
        let document: Document = serde_json::from_str(text).map_err(|error| Error::NotUnderstood(error.to_string()))?;
        if let Some(version) = document.version
            && version != "2012-10-17"
        {
            return Err(Error::NotUnderstood(format!("its Version is {version}")));
        }
        let mut statements = Vec::new();
        for statement in document.statement.as_slice() {
            if statement.action.is_some() == statement.not_action.is_some() {
                return Err(Error::NotUnderstood(
                    "a statement has one of Action and NotAction".into(),
                ));
            }
            if statement.resource.is_some() == statement.not_resource.is_some() {
                return Err(Error::NotUnderstood(
                    "a statement has one of Resource and NotResource".into(),
                ));
            }
            let resources = [&statement.resource, &statement.not_resource].into_iter().flatten();
            if resources
                .flat_map(OneOrMany::as_slice)
                .any(|resource| has_variable(resource))
            {
                return Err(Error::NotUnderstood("a variable in a Resource".into()));
            }
            statements.push(Statement::read(statement.clone())?);
        }
        Ok(Self { statements })
    }

    /// One of the policies that need no text: `viewer`, `operator`, `author`, `admin`.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Arc<Self>> {
        let found = match name {
            "viewer" => &VIEWER,
            "operator" => &OPERATOR,
            "author" => &AUTHOR,
            "admin" => &ADMIN,
            _ => return None,
        };
        Some(Arc::clone(found))
    }

    /// What a job may do with the key that it is given.
    pub(super) fn of_jobs() -> Arc<Self> {
        Arc::clone(&JOB)
    }

    /// Whether it allows an action on a resource under the circumstances of a call.
    #[must_use]
    pub fn allows(&self, action: &str, resource: &str, call: &Circumstances<'_>) -> bool {
        let applies = |statement: &&Statement| statement.applies(action, resource, call);
        let mut is_allowed = false;
        for statement in self.statements.iter().filter(applies) {
            match statement.effect {
                Effect::Deny => return false,
                Effect::Allow => is_allowed = true,
            }
        }
        is_allowed
    }
}

impl Statement {
    fn read(written: WrittenStatement) -> Result<Self, Error> {
        Ok(Self {
            effect: written.effect,
            action: written.action,
            not_action: written.not_action,
            resource: written.resource,
            not_resource: written.not_resource,
            conditions: condition::read(written.condition)?,
        })
    }

    fn applies(&self, action: &str, resource: &str, call: &Circumstances<'_>) -> bool {
        // Actions are the same in any case, resources are not.
        let is_action = |patterns: &OneOrMany<String>| {
            let action = action.to_ascii_lowercase();
            patterns
                .as_slice()
                .iter()
                .any(|pattern| matches(&pattern.to_ascii_lowercase(), &action))
        };
        let is_resource =
            |patterns: &OneOrMany<String>| patterns.as_slice().iter().any(|pattern| matches(pattern, resource));
        let by_action =
            self.action.as_ref().is_some_and(is_action) || self.not_action.as_ref().is_some_and(|not| !is_action(not));
        let by_resource = self.resource.as_ref().is_some_and(is_resource)
            || self.not_resource.as_ref().is_some_and(|not| !is_resource(not));
        by_action && by_resource && self.conditions.iter().all(|condition| condition.holds(call))
    }
}

/// Whether a text has a variable in it (`IAM: policy variables`, such as `${aws:username}`), which we do not replace.
pub(super) fn has_variable(text: &str) -> bool {
    text.contains("${")
}

/// Whether a text fits a pattern in which `*` is any text and `?` any character; takes time by the product of their lengths
/// at the most.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut in_text) = (0, 0);
    // Where to go on from when what follows the last star does not fit: behind the star, one character further.
    let mut retry: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at + 1, in_text));
                at += 1;
            }
            Some(&symbol) if symbol == b'?' || symbol == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => match retry {
                Some((behind, from)) => {
                    retry = Some((behind, from + 1));
                    at = behind;
                    in_text = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|symbol| *symbol == b'*')
}

/// A policy that allows actions on everything.
fn allowing(actions: &[&str]) -> Arc<Policy> {
    let statement = Statement {
        effect: Effect::Allow,
        action: Some(OneOrMany::Many(
            actions.iter().map(|action| (*action).to_owned()).collect(),
        )),
        not_action: None,
        resource: Some(OneOrMany::One("*".to_owned())),
        not_resource: None,
        conditions: Vec::new(),
    };
    Arc::new(Policy {
        statements: vec![statement],
    })
}

const READ: [&str; 7] = [
    "glue:Get*",
    "glue:List*",
    "glue:BatchGet*",
    "treenail:Get*",
    "treenail:Explain*",
    "treenail:Tail*",
    "treenail:Watch*",
];
const OPERATE: [&str; 8] = [
    "glue:Start*",
    "glue:Stop*",
    "glue:Resume*",
    "glue:BatchStop*",
    "glue:PutWorkflowRunProperties",
    "glue:ResetJobBookmark",
    "treenail:NotifyEvent",
    "treenail:PutJobBookmark",
];

static VIEWER: LazyLock<Arc<Policy>> = LazyLock::new(|| allowing(&READ));
static OPERATOR: LazyLock<Arc<Policy>> = LazyLock::new(|| allowing(&[&READ[..], &OPERATE].concat()));
static AUTHOR: LazyLock<Arc<Policy>> = LazyLock::new(|| allowing(&[&READ[..], &OPERATE, &["glue:*", "s3:*"]].concat()));
static ADMIN: LazyLock<Arc<Policy>> = LazyLock::new(|| allowing(&["*"]));
static JOB: LazyLock<Arc<Policy>> = LazyLock::new(|| allowing(&[&READ[..], &OPERATE, &["s3:*"]].concat()));

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CALL: Circumstances<'_> = Circumstances {
        source: None,
        is_encrypted: false,
        now: 0,
        region: Some("us-east-1"),
        account: "123456789012",
        arn: "arn:aws:iam::123456789012:user/ann",
    };
    const FLOW: &str = "arn:aws:glue:us-east-1:123456789012:workflow/etl-daily";

    #[test]
    fn statements_allow_and_deny() {
        let policy = Policy::parse(
            r#"{"Version": "2012-10-17", "Statement": [
                {"Sid": "a", "Effect": "Allow", "Action": ["glue:Get*", "glue:startworkflowrun"], "Resource": "arn:aws:glue:*:123456789012:workflow/etl-*"},
                {"Effect": "Deny", "Action": "glue:*", "Resource": "*/etl-secret"},
                {"Effect": "Allow", "NotAction": "glue:*", "NotResource": "arn:aws:s3:::private/*"}]}"#,
        )
        .unwrap();
        let rows = [
            ("glue:GetWorkflow", FLOW, true),
            ("glue:StartWorkflowRun", FLOW, true),
            ("glue:StopWorkflowRun", FLOW, false),
            (
                "glue:GetWorkflow",
                "arn:aws:glue:us-east-1:123456789012:workflow/other",
                false,
            ),
            (
                "glue:GetWorkflow",
                "arn:aws:glue:us-east-1:123456789012:workflow/etl-secret",
                false,
            ),
            ("s3:GetObject", "arn:aws:s3:::public/x", true),
            ("s3:GetObject", "arn:aws:s3:::private/x", false),
        ];
        for (action, resource, expected) in rows {
            assert_eq!(policy.allows(action, resource, &CALL), expected, "{action} {resource}");
        }
    }

    #[test]
    fn a_statement_applies_where_its_conditions_hold() {
        let policy = Policy::parse(
            r#"{"Statement": [
                {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}},
                {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}]}"#,
        )
        .unwrap();
        let elsewhere = Circumstances {
            region: Some("eu-west-1"),
            ..CALL
        };
        let encrypted = Circumstances {
            is_encrypted: true,
            ..CALL
        };
        for (call, expected) in [(CALL, true), (elsewhere, false), (encrypted, false)] {
            assert_eq!(policy.allows("glue:GetWorkflow", FLOW, &call), expected, "{call:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "[]",
            r#"{"Statement": []} x"#,
            r#"{"Version": "2008-10-17", "Statement": []}"#,
            r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"NumericEquals": {"s3:max-keys": 1}}}]}"#,
            r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}]}"#,
            r#"{"Statement": [{"Effect": "allow", "Action": "*", "Resource": "*"}]}"#,
            r#"{"Statement": [{"Effect": "Allow", "Action": "*"}]}"#,
            r#"{"Statement": [{"Effect": "Deny", "Action": "*", "Resource": ["*", "arn:aws:s3:::${aws:username}/*"]}]}"#,
            r#"{"Statement": [{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::${aws:username}/*"}]}"#,
            r#"{"Statement": [{"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"}]}"#,
        ] {
            assert!(Policy::parse(text).is_err(), "{text}");
        }
        let refused = Policy::parse(r#"{"Statement": [{"Effect": "Deny", "Principal": "*"}]}"#)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("`Principal`"), "{refused}");
        assert_eq!(Policy::parse(&" ".repeat(TEXT_BYTES_MAX + 1)), Err(Error::TooLong));
        assert!(
            !Policy::parse(r#"{"Statement": []}"#)
                .unwrap()
                .allows("glue:GetWorkflow", FLOW, &CALL)
        );
    }

    #[test]
    fn each_role_may_do_what_the_one_before_may() {
        let actions = [
            "glue:GetWorkflow",
            "glue:StartWorkflowRun",
            "glue:CreateJob",
            "treenail:AdvanceClock",
        ];
        for (name, may) in [("viewer", 1), ("operator", 2), ("author", 3), ("admin", 4)] {
            let policy = Policy::built_in(name).unwrap();
            let allowed = actions
                .iter()
                .filter(|action| policy.allows(action, FLOW, &CALL))
                .count();
            assert_eq!(allowed, may, "{name}");
        }
        assert!(Policy::built_in("root").is_none());
        assert!(Policy::of_jobs().allows("glue:PutWorkflowRunProperties", FLOW, &CALL));
        assert!(!Policy::of_jobs().allows("glue:CreateJob", FLOW, &CALL));
    }

    /// The same by definition, however slow.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) if naive(rest, text) => true,
            (Some((b'*', _)), Some((_, text))) => naive(pattern, text),
            (Some((symbol, rest)), Some((byte, text))) if symbol == byte || *symbol == b'?' => naive(rest, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn patterns_match_as_defined(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(matches(&pattern, &text), naive(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
