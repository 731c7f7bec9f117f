//! The server, as commands reach it.

use std::error::Error;

use anyhow::Context as _;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
};
use treenail_proto::{
    glue::v1::{
        job_run_service_client::JobRunServiceClient, job_service_client::JobServiceClient,
        trigger_service_client::TriggerServiceClient, workflow_run_service_client::WorkflowRunServiceClient,
        workflow_service_client::WorkflowServiceClient,
    },
    ops::v1::{
        clock_service_client::ClockServiceClient, history_service_client::HistoryServiceClient,
        log_service_client::LogServiceClient,
    },
};
use treenail_rpc::{Caller, Channel, Fault, Scope, caller::ACCOUNT_KEY, guard::BEARER, limits::GRPC_MESSAGE_BYTES_MAX};

use crate::cli::Target;

/// A server and on whose behalf it is called.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    channel: Channel,
    caller: Caller,
    /// `Bearer ACCESS_KEY:SECRET`, where the key is one of ours.
    token: Option<MetadataValue<Ascii>>,
    /// Whether calls name the account; with a token it is the key's.
    names_account: bool,
}

/// How the keys begin that `treenail keys` makes. No other secret is sent: this machine's may be those of AWS.
const OWN_KEYS: &str = "TNKEY";

impl Target {
    /// The server that the flags and variables name.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let default = Scope::default();
        let key = self
            .access_key
            .as_deref()
            .filter(|key| Scope::parse(key, &default.region).is_ok());
        let account = self.account.as_deref().or(key).unwrap_or(&default.account);
        let region = self.region.as_deref().unwrap_or(&default.region);
        let scope = Scope::parse(account, region).context("cannot use this account and region")?;
        let mut client = Client::new(self.connect()?, scope);
        if let (Some(key), Some(secret)) = (&self.access_key, &self.secret_key)
            && key.starts_with(OWN_KEYS)
        {
            let token = format!("{BEARER}{key}:{secret}").parse();
            client.token = Some(token.context("the secret access key is none")?);
            client.names_account = self.account.is_some();
        }
        Ok(client)
    }
}

macro_rules! clients {
    ($($name:ident: $client:ident),* $(,)?) => {
        $(pub(crate) fn $name(&self) -> $client<Channel> {
            $client::new(self.channel.clone())
                .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
                .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX)
        })*
    };
}

impl Client {
    pub(crate) fn new(channel: Channel, scope: Scope) -> Self {
        Self {
            channel,
            caller: Caller::new(scope),
            token: None,
            names_account: true,
        }
    }

    clients! {
        workflows: WorkflowServiceClient,
        workflow_runs: WorkflowRunServiceClient,
        history: HistoryServiceClient,
        triggers: TriggerServiceClient,
        jobs: JobServiceClient,
        job_runs: JobRunServiceClient,
        clock: ClockServiceClient,
        logs: LogServiceClient,
    }

    /// A request on the caller's behalf.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = self.caller.request(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        if !self.names_account {
            request.metadata_mut().remove(ACCOUNT_KEY);
        }
        request
    }
}

/// What a failed call says, for people.
#[derive(Debug, thiserror::Error)]
#[error("{message} ({reason})")]
pub(crate) struct Failed {
    reason: &'static str,
    message: String,
}

/// What lies at the bottom of an error, such as a certificate that nobody vouches for.
fn root_cause(error: &dyn Error) -> Option<&dyn Error> {
    std::iter::successors(error.source(), |cause| (*cause).source()).last()
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        let Fault { reason, message } = Fault::from_status(&status);
        let message = if status.code() == tonic::Code::Unavailable {
            let cause = root_cause(&status).map_or(message, |cause| cause.to_string());
            format!("the server cannot be reached: is `treenail serve` running? {cause}")
        } else {
            message
        };
        Self {
            reason: reason.as_str(),
            message,
        }
    }
}
