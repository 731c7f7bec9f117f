//! Tags (spec §15).

use std::collections::BTreeMap;

use treenail_rpc::{Caller, Scope};

use super::{Catalog, Decision, change};
use crate::{
    error::Error,
    rules::tag::{self, Resource},
    store::{Changes, Effect, Store, Tagged},
};

impl<S: Store> Catalog<S> {
    pub(crate) async fn tag_resource(
        &self,
        caller: &Caller,
        arn: &str,
        added: BTreeMap<String, String>,
    ) -> Result<(), Error> {
        tag::check(&added)?;
        self.retag(caller, arn, |mut tags| {
            tags.extend(added.clone());
            tag::check(&tags)?;
            Ok(tags)
        })
        .await
    }

    pub(crate) async fn untag_resource(&self, caller: &Caller, arn: &str, removed: &[String]) -> Result<(), Error> {
        self.retag(caller, arn, |mut tags| {
            tags.retain(|key, _| !removed.contains(key));
            Ok(tags)
        })
        .await
    }

    pub(crate) async fn resource_tags(&self, caller: &Caller, arn: &str) -> Result<BTreeMap<String, String>, Error> {
        let resource = tag::resource(arn, &caller.scope)?;
        Ok(self.tags_of(&caller.scope, &resource).await?.tags)
    }

    async fn retag(
        &self,
        caller: &Caller,
        arn: &str,
        edit: impl Fn(BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Error> + Sync + Send,
    ) -> Result<(), Error> {
        let resource = tag::resource(arn, &caller.scope)?;
        let decide = || async {
            let Tagged { version, tags } = self.tags_of(&caller.scope, &resource).await?;
            let tags = edit(tags)?;
            let rows = vec![change(resource.kind, &resource.name, Some(version), Effect::Tag(tags))];
            Ok(Decision::Commit(
                Changes {
                    scope: caller.scope.clone(),
                    rows,
                    plans: Vec::new(),
                },
                (),
            ))
        };
        self.change(resource.kind, &resource.name, decide).await
    }

    async fn tags_of(&self, scope: &Scope, resource: &Resource) -> Result<Tagged, Error> {
        let found = self.store.tags(scope, resource.kind, &resource.name).await?;
        found.ok_or(Error::ResourceNotFound)
    }
}
