//! S3 under keys: its library checks the signatures, of headers, of queries and of chunks.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    path::S3Path,
    s3_error,
};

use super::Auth;
use crate::s3::has_bucket;

/// Judges requests for S3 whose signatures are right.
#[derive(Debug)]
pub(crate) struct S3Gate {
    /// The keys.
    pub(crate) auth: Auth,
    /// Where the buckets are.
    pub(crate) root: Arc<Path>,
}

/// What is noted of a call of S3 while its library answers it.
#[derive(Debug, Clone)]
pub(crate) struct S3Note {
    /// What is asked for: `s3:GetObject`.
    pub(crate) action: String,
    /// What it is done to.
    pub(crate) resource: String,
    pub(crate) arn: Option<String>,
    pub(crate) access_key: Option<String>,
    pub(crate) account: Option<String>,
}

/// Where the gate leaves its note: among a request's extensions.
pub(crate) type S3Notes = Arc<OnceLock<S3Note>>;

#[async_trait::async_trait]
impl S3Auth for Auth {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.holder(access_key) {
            Ok((_, secret)) => Ok(SecretKey::from(secret.expose())),
            Err(_) => Err(s3_error!(
                InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records."
            )),
        }
    }
}

#[async_trait::async_trait]
impl S3Access for S3Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let denied = || s3_error!(AccessDenied, "Access Denied");
        let credentials = context.credentials().ok_or_else(denied)?;
        let (principal, _) = self.auth.holder(&credentials.access_key).map_err(|_| denied())?;
        let action = format!("s3:{}", context.s3_op().name());
        let resource = match context.s3_path() {
            S3Path::Root => "arn:aws:s3:::*".to_owned(),
            S3Path::Bucket { bucket } => format!("arn:aws:s3:::{bucket}"),
            S3Path::Object { bucket, key } => format!("arn:aws:s3:::{bucket}/{key}"),
        };
        let arrival = self.auth.arrival(context.extensions_mut());
        if let Some(notes) = context.extensions_mut().get::<S3Notes>() {
            let note = S3Note {
                action: action.clone(),
                resource: resource.clone(),
                arn: Some(principal.arn.clone()),
                access_key: Some(principal.access_key.clone()),
                account: Some(principal.account.clone()),
            };
            // A request passes here once.
            let _first = notes.set(note);
        }
        principal
            .may(&action, &resource, None, &arrival)
            .map_err(|_| denied())?;
        // The library would make a bucket for an object that has none.
        match context.s3_path() {
            S3Path::Object { bucket, .. } if !has_bucket(&self.root, bucket).await => {
                Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"))
            }
            S3Path::Root | S3Path::Bucket { .. } | S3Path::Object { .. } => Ok(()),
        }
    }
}
