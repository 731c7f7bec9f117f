//! Who calls: the scope and the identity of the call, carried in the metadata from the gateway to the last service.

use tonic::{
    Request,
    metadata::{MetadataMap, MetadataValue},
};

use crate::{fault::Fault, limits::INVOCATION_ID_LENGTH_MAX, reason::Reason, scope::Scope};

/// The metadata key of the account.
pub const ACCOUNT_KEY: &str = "treenail-account";
/// The metadata key of the region.
pub const REGION_KEY: &str = "treenail-region";
/// The metadata key of the invocation id.
pub const INVOCATION_ID_KEY: &str = "treenail-invocation-id";

/// On whose behalf a call is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The account and region.
    pub scope: Scope,
    /// The client's `amz-sdk-invocation-id`, the same for all retries of one SDK call; `None` when the client sends none.
    pub invocation: Option<String>,
}

impl Caller {
    /// A caller of a scope, without an invocation id.
    #[must_use]
    pub fn new(scope: Scope) -> Caller {
        Caller {
            scope,
            invocation: None,
        }
    }

    /// The caller that the metadata of a request names.
    ///
    /// A gRPC client that names no account or region has those of [`Scope::default`].
    ///
    /// # Errors
    /// `InvalidInputException` when the account, the region or the invocation id has not its form.
    pub fn from_request<T>(request: &Request<T>) -> Result<Caller, Fault> {
        Caller::from_metadata(request.metadata())
    }

    /// The caller that metadata names, as [`Caller::from_request`] reads it.
    ///
    /// # Errors
    /// `InvalidInputException` when the account, the region or the invocation id has not its form.
    pub fn from_metadata(metadata: &MetadataMap) -> Result<Caller, Fault> {
        let default = Scope::default();
        let account = text(metadata, ACCOUNT_KEY)?.unwrap_or(&default.account);
        let region = text(metadata, REGION_KEY)?.unwrap_or(&default.region);
        let scope = Scope::parse(account, region)
            .map_err(|error| Fault::new(Reason::InvalidInputException, error.to_string()))?;
        let invocation = text(metadata, INVOCATION_ID_KEY)?
            .map(checked_invocation_id)
            .transpose()?;
        Ok(Caller { scope, invocation })
    }

    /// Writes the caller into the metadata of an outgoing call, in place of whatever is there.
    ///
    /// An account, region or invocation id that is no metadata value is left out; none that came through
    /// [`Caller::from_metadata`] or [`Scope::parse`] is.
    pub fn attach(&self, metadata: &mut MetadataMap) {
        put(metadata, ACCOUNT_KEY, Some(&self.scope.account));
        put(metadata, REGION_KEY, Some(&self.scope.region));
        put(metadata, INVOCATION_ID_KEY, self.invocation.as_deref());
    }

    /// A request on behalf of this caller.
    #[must_use]
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        self.attach(request.metadata_mut());
        request
    }
}

fn text<'m>(metadata: &'m MetadataMap, key: &'static str) -> Result<Option<&'m str>, Fault> {
    let Some(value) = metadata.get(key) else {
        return Ok(None);
    };
    value
        .to_str()
        .map(Some)
        .map_err(|_| Fault::new(Reason::InvalidInputException, format!("{key} is not visible ASCII")))
}

fn checked_invocation_id(id: &str) -> Result<String, Fault> {
    let is_id = (1..=INVOCATION_ID_LENGTH_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if is_id {
        Ok(id.to_owned())
    } else {
        Err(Fault::new(
            Reason::InvalidInputException,
            format!("{INVOCATION_ID_KEY} has 1 to {INVOCATION_ID_LENGTH_MAX} visible ASCII characters"),
        ))
    }
}

fn put(metadata: &mut MetadataMap, key: &'static str, value: Option<&str>) {
    match value.and_then(|value| MetadataValue::try_from(value).ok()) {
        Some(value) => {
            metadata.insert(key, value);
        }
        None => {
            metadata.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Request, metadata::MetadataMap};

    use super::{ACCOUNT_KEY, Caller, INVOCATION_ID_KEY, REGION_KEY};
    use crate::{Reason, Scope};

    #[test]
    fn a_caller_survives_the_wire() {
        let caller = Caller {
            scope: Scope {
                account: "123456789012".to_owned(),
                region: "eu-central-1".to_owned(),
            },
            invocation: Some("2f7c1d0e-1111-4222-8333-944455556666".to_owned()),
        };
        assert_eq!(Caller::from_request(&caller.request(())), Ok(caller));
    }

    #[test]
    fn a_client_that_names_nothing_has_the_default_scope() {
        assert_eq!(Caller::from_request(&Request::new(())), Ok(Caller::default()));
    }

    #[test]
    fn attaching_replaces_whoever_called_before() {
        let mut metadata = MetadataMap::new();
        Caller {
            scope: Scope::default(),
            invocation: Some("first".to_owned()),
        }
        .attach(&mut metadata);
        Caller::default().attach(&mut metadata);
        assert_eq!(Caller::from_metadata(&metadata), Ok(Caller::default()));
    }

    #[test]
    fn metadata_of_another_form_is_refused() {
        let too_long = "x".repeat(129);
        let rows = [
            (ACCOUNT_KEY, "12345"),
            (REGION_KEY, "Mars"),
            (INVOCATION_ID_KEY, ""),
            (INVOCATION_ID_KEY, "two words"),
            (INVOCATION_ID_KEY, too_long.as_str()),
        ];
        for (key, value) in rows {
            let mut metadata = MetadataMap::new();
            metadata.insert(key, value.parse().unwrap());
            let refusal = Caller::from_metadata(&metadata).unwrap_err();
            assert_eq!(refusal.reason, Reason::InvalidInputException, "{key}: {value}");
        }
    }
}
