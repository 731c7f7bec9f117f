//! The rules of tags, and the ARNs that they are put on.

use std::collections::BTreeMap;

use treenail_rpc::Scope;

use crate::{error::Error, kind::Kind};

/// The most tags that a resource has (`Glue API: TagResource`).
pub(crate) const TAGS_MAX: usize = 50;

/// The beginning of keys that AWS keeps for itself, in any case.
const RESERVED: &str = "aws:";

/// A resource that tags are put on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

/// Checks tags that are to be put on a resource.
///
/// # Errors
/// `InvalidInputException` when there are too many, or AWS keeps a key for itself.
pub(crate) fn check(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    if tags.len() > TAGS_MAX {
        return Err(Error::invalid(format!(
            "New Tags cannot be empty or more than {TAGS_MAX}"
        )));
    }
    let is_reserved = |key: &&String| {
        key.get(..RESERVED.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
    };
    match tags.keys().find(is_reserved) {
        Some(key) => Err(Error::invalid(format!(
            "Tag key {key} is reserved: keys cannot start with {RESERVED}"
        ))),
        None => Ok(()),
    }
}

/// Reads the ARN of a resource of this account and region; a part that the ARN leaves empty is the caller's.
///
/// # Errors
/// `InvalidInputException` when it is no ARN of a Glue resource. `EntityNotFoundException` when it lies in another
/// account or region, or is of a kind that Treenail does not have.
pub(crate) fn resource(arn: &str, scope: &Scope) -> Result<Resource, Error> {
    let malformed = || Error::invalid(format!("{arn} is not the ARN of an AWS Glue resource"));
    let mut parts = arn.splitn(6, ':');
    let (Some("arn"), Some(_partition), Some("glue"), Some(region), Some(account), Some(path)) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return Err(malformed());
    };
    let (kind, name) = path
        .split_once('/')
        .filter(|(_, name)| !name.is_empty())
        .ok_or_else(malformed)?;
    let is_here = (region.is_empty() || region == scope.region) && (account.is_empty() || account == scope.account);
    let kind = match kind {
        "workflow" => Kind::Workflow,
        "trigger" => Kind::Trigger,
        "job" => Kind::Job,
        _ => return Err(Error::ResourceNotFound),
    };
    if is_here {
        Ok(Resource {
            kind,
            name: name.to_owned(),
        })
    } else {
        Err(Error::ResourceNotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_a_resource_of_the_callers_account_and_region() {
        let rows = [
            (
                "arn:aws:glue:us-east-1:000000000000:workflow/sales",
                Some((Kind::Workflow, "sales")),
            ),
            (
                "arn:aws-cn:glue:us-east-1:000000000000:trigger/a b/c:d",
                Some((Kind::Trigger, "a b/c:d")),
            ),
            ("arn:aws:glue:us-east-1::job/j", Some((Kind::Job, "j"))),
            ("arn:aws:glue:::job/j", Some((Kind::Job, "j"))),
            ("arn:aws:glue:eu-west-1:000000000000:job/j", None),
            ("arn:aws:glue:us-east-1:123456789012:job/j", None),
            ("arn:aws:glue:us-east-1:000000000000:crawler/c", None),
            ("arn:aws:glue:us-east-1:000000000000:job/", None),
            ("arn:aws:glue:us-east-1:000000000000:job", None),
            ("arn:aws:s3:us-east-1:000000000000:job/j", None),
            ("job/j", None),
            ("", None),
        ];
        for (arn, expected) in rows {
            let found = resource(arn, &Scope::default()).ok();
            let found = found.as_ref().map(|resource| (resource.kind, resource.name.as_str()));
            assert_eq!(found, expected, "{arn}");
        }
    }

    #[test]
    fn keys_that_aws_keeps_are_refused() {
        for (key, is_allowed) in [
            ("aws:x", false),
            ("AWS:x", false),
            ("awsx", true),
            ("x", true),
            ("äws:", true),
        ] {
            assert_eq!(
                check(&[(key.to_owned(), String::new())].into()).is_ok(),
                is_allowed,
                "{key}"
            );
        }
    }
}
