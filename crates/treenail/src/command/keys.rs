//! `treenail keys`: makes, lists and revokes the keys of a file.

use std::{fs, path::Path};

use anyhow::Context as _;
use treenail_gateway::auth::{KeyFile, Policy};
use treenail_rpc::{Entropy, Scope};

use crate::{cli::KeysStep, terminal};

/// Takes one step on a file of keys.
pub(crate) fn run(file: Option<&Path>, step: &KeysStep) -> anyhow::Result<()> {
    let file = file.context("which file of keys? Name it with --credentials")?;
    match step {
        KeysStep::Create { account, user, policy } => {
            let scope = Scope::parse(account, &Scope::default().region).context("cannot use this account")?;
            let policy = match Policy::built_in(policy) {
                Some(_) => policy.clone(),
                None => fs::read_to_string(policy).with_context(|| format!("cannot read the policy {policy}"))?,
            };
            let key = KeyFile::create(file, &scope, user, &policy, &Entropy::os())?;
            terminal::say(&format!(
                "AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}",
                key.access_key,
                key.secret.expose()
            ));
        }
        KeysStep::List => {
            for key in KeyFile::list(file)? {
                let policy = Policy::built_in(&key.policy).map_or("own policy", |_| key.policy.as_str());
                terminal::say(&format!("{}  {}  {}  {policy}", key.access_key, key.account, key.user));
            }
        }
        KeysStep::Revoke { access_key } => KeyFile::revoke(file, access_key)?,
    }
    Ok(())
}
