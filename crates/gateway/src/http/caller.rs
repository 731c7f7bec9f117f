//! On whose behalf a request is made: what its signature's scope says.
//!
//! On loopback any credentials are taken, and none as well; only the scope is read.

use http::HeaderMap;
use treenail_rpc::{Caller, Fault, Reason, Scope, limits::INVOCATION_ID_LENGTH_MAX};

use super::single;

/// The header that stays the same over the retries of one SDK call.
const INVOCATION_ID: &str = "amz-sdk-invocation-id";

/// The caller of a request.
pub(crate) fn of(headers: &HeaderMap) -> Result<Caller, Fault> {
    let scope = match single(headers, "authorization")? {
        None => Scope::default(),
        Some(authorization) => scope_of(authorization).ok_or_else(garbled)?,
    };
    let invocation = invocation(headers)?;
    Ok(Caller { scope, invocation })
}

/// The id of the SDK's call, the same over its retries; none when it has no form.
pub(crate) fn invocation(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let is_id = |id: &&str| {
        (1..=INVOCATION_ID_LENGTH_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    Ok(single(headers, INVOCATION_ID)?.filter(is_id).map(str::to_owned))
}

/// What a signature that cannot be read is answered with, though nothing is checked with it.
fn garbled() -> Fault {
    let message = "Authorization header requires 'Credential' parameter with a scope of date, region and service.";
    Fault::new(Reason::IncompleteSignatureException, message)
}

/// The scope in `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`: a key of twelve digits is the
/// account, any other key is the default one's.
fn scope_of(authorization: &str) -> Option<Scope> {
    let (_, credential) = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")?
        .split_once("Credential=")?;
    let credential = credential.split([',', ' ']).next()?;
    let mut parts = credential.rsplit('/');
    let (_terminator, _service, region) = (parts.next()?, parts.next()?, parts.next()?);
    let _date = parts.next()?;
    let key = parts.next()?;
    let default = Scope::default();
    Scope::parse(key, region)
        .or_else(|_| Scope::parse(&default.account, region))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_is_read_from_the_signature() {
        let rows = [
            (
                "AWS4-HMAC-SHA256 Credential=123456789012/20261120/eu-west-1/glue/aws4_request, SignedHeaders=host",
                Some("123456789012/eu-west-1"),
            ),
            (
                "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261120/eu-west-1/glue/aws4_request,Signature=x",
                Some("000000000000/eu-west-1"),
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/b/20261120/eu-west-1/glue/aws4_request",
                Some("000000000000/eu-west-1"),
            ),
            ("AWS4-HMAC-SHA256 Credential=test/20261120/EU!/glue/aws4_request", None),
            ("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=, Signature=", None),
            ("Bearer nothing", None),
            ("AWS4-HMAC-SHA256 Credential=", None),
        ];
        for (authorization, scope) in rows {
            let found = scope_of(authorization).map(|scope| scope.to_string());
            assert_eq!(found.as_deref(), scope, "{authorization}");
        }
    }
}
