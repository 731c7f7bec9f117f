//! Listings: pages of names and of definitions, and the tokens that lead from one to the next.

use std::collections::BTreeMap;

use treenail_rpc::Scope;
use treenail_storage::page::Token;

use super::Catalog;
use crate::{
    error::Error,
    kind::{Definition, Kind},
    store::{Filter, Store},
};

/// The most bytes of definitions in one page, so that it fits into a message: a page may hold fewer than it was asked
/// for, which every client has to expect (`Glue API: MaxResults`).
const PAGE_BYTES_MAX: usize = 2 << 20;

/// How many definitions are read at a time on the way to a full page.
const CHUNK: usize = 100;

/// What a listing is asked for.
#[derive(Debug)]
pub(crate) struct Request {
    /// The operation: a token leads only to pages of the same one.
    pub(crate) operation: &'static str,
    /// Where the page starts; from the first when not set or empty.
    pub(crate) token: Option<String>,
    /// The most entries that the caller wants.
    pub(crate) max_results: Option<i32>,
    /// The most entries that the operation gives, and its default.
    pub(crate) limit: usize,
    /// What the listing shows.
    pub(crate) filter: Filter,
}

impl<S: Store> Catalog<S> {
    /// Lists names, in order, with the token of the next page.
    pub(crate) async fn names(
        &self,
        scope: &Scope,
        kind: Kind,
        request: Request,
    ) -> Result<(Vec<String>, Option<String>), Error> {
        let limit = request.page_size();
        let after = request.after(scope)?;
        let filter = self.effective(scope, kind, &request.filter).await?;
        // One more than the page holds tells whether there is a next one.
        let mut names = self
            .store
            .names(scope, kind, &filter, after.as_deref(), limit + 1)
            .await?;
        let has_next = names.len() > limit;
        names.truncate(limit);
        let next = names
            .last()
            .filter(|_| has_next)
            .map(|last| request.token_after(scope, last));
        Ok((names, next))
    }

    /// Lists definitions, in the order of their names, with the token of the next page.
    pub(crate) async fn page<D: Definition>(
        &self,
        scope: &Scope,
        request: Request,
    ) -> Result<(Vec<D>, Option<String>), Error> {
        let limit = request.page_size();
        let after = request.after(scope)?;
        let filter = self.effective(scope, D::KIND, &request.filter).await?;
        let names = self
            .store
            .names(scope, D::KIND, &filter, after.as_deref(), limit + 1)
            .await?;
        let (wanted, rest) = names.split_at(limit.min(names.len()));
        let mut page = Vec::new();
        let mut bytes = 0;
        for chunk in wanted.chunks(CHUNK) {
            let mut stored: BTreeMap<_, _> = self.store.definitions::<D>(scope, chunk).await?;
            for name in chunk {
                // Deleted since its name was read, or cannot be decoded.
                let Some(Ok(definition)) = stored.remove(name).map(|stored| stored.definition) else {
                    continue;
                };
                bytes += definition.encoded_len();
                if bytes > PAGE_BYTES_MAX && !page.is_empty() {
                    let next = page.last().map(|last: &D| request.token_after(scope, last.name()));
                    return Ok((page, next));
                }
                page.push(definition);
            }
        }
        let next = wanted
            .last()
            .filter(|_| !rest.is_empty())
            .map(|last| request.token_after(scope, last));
        Ok((page, next))
    }

    /// Drops the wish for triggers that start a job when there is none: then all are listed (`Glue API: GetTriggers`).
    async fn effective(&self, scope: &Scope, kind: Kind, filter: &Filter) -> Result<Filter, Error> {
        let mut filter = filter.clone();
        if filter.started_job.is_some() {
            let starting = Filter {
                tags: BTreeMap::new(),
                started_job: filter.started_job.clone(),
            };
            if self.store.names(scope, kind, &starting, None, 1).await?.is_empty() {
                filter.started_job = None;
            }
        }
        Ok(filter)
    }
}

impl Request {
    fn page_size(&self) -> usize {
        let wanted = self.max_results.and_then(|max| usize::try_from(max).ok());
        wanted.map_or(self.limit, |wanted| wanted.clamp(1, self.limit))
    }

    /// The name after which the page starts.
    fn after(&self, scope: &Scope) -> Result<Option<String>, Error> {
        let Some(token) = self.token.as_deref().filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        let invalid = || Error::invalid("Pagination token is invalid");
        let binding = self.binding(scope);
        let position = Token::decode(&as_strs(&binding), token).map_err(|_| invalid())?;
        String::from_utf8(position).map(Some).map_err(|_| invalid())
    }

    fn token_after(&self, scope: &Scope, name: &str) -> String {
        let binding = self.binding(scope);
        Token::encode(&as_strs(&binding), name.as_bytes())
    }

    /// What a token belongs to: all that decides about the listing but the size of its pages.
    fn binding(&self, scope: &Scope) -> [String; 4] {
        let tags = serde_json::to_string(&self.filter.tags).expect("texts are JSON");
        let job = self.filter.started_job.clone().unwrap_or_default();
        [self.operation.to_owned(), scope.to_string(), tags, job]
    }
}

fn as_strs(parts: &[String; 4]) -> [&str; 4] {
    parts.each_ref().map(String::as_str)
}
