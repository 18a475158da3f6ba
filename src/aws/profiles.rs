//! Reads the shared configuration files of AWS, and provides the credentials of their profiles.
//!
//! The SDK resolves profiles. This module replaces one of its sources: the credentials of a profile
//! with a `credential_process` come from [`CredentialProcess`], whose output is bounded. The SDK is
//! built without its own.

use std::fmt;
use std::sync::Arc;

use aws_config::profile::{self, Profile, ProfileFileCredentialsProvider, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};

use super::credential_process::CredentialProcess;

/// Keys of a profile that the SDK uses before `credential_process`.
const BEFORE_PROCESS: [&str; 8] = [
    "credential_source",
    "login_session",
    "sso_account_id",
    "sso_region",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];

/// The contents of the shared configuration files at one time; `None` if they are not valid, which
/// the SDK reports.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SharedFiles(Option<Arc<ProfileSet>>);

impl fmt::Debug for SharedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedFiles").finish_non_exhaustive()
    }
}

impl SharedFiles {
    /// Reads the files that the environment names.
    pub(super) async fn read() -> Self {
        let (fs, env, files) = Default::default();
        let profiles = profile::load(&fs, &env, &files, None).await;
        Self(profiles.ok().map(Arc::new))
    }

    /// Returns the provider of a profile; without a name, of the one that the environment names.
    pub(super) fn provider(
        &self,
        name: Option<&str>,
        config: &ProviderConfig,
    ) -> ProfileFileCredentialsProvider {
        let mut builder = ProfileFileCredentialsProvider::builder().configure(config);
        if let Some(name) = name {
            builder = builder.profile_name(name);
        }
        let mut replaced = String::new();
        for (number, profile) in self.profiles().enumerate() {
            let source = format!("imagebuilder-exporter-process-{number}");
            let Some((section, process)) = replacement(profile, &source) else {
                continue;
            };
            replaced.push_str(&section);
            builder = builder.with_custom_provider(source, process);
        }
        // A key of a later file replaces that of an earlier one.
        let files = EnvConfigFiles::builder()
            .include_default_config_file(true)
            .include_default_credentials_file(true)
            .with_contents(EnvConfigFileKind::Config, replaced);
        builder.profile_files(files.build()).build()
    }

    fn profiles(&self) -> impl Iterator<Item = &Profile> {
        let profiles = self.0.iter();
        profiles.flat_map(|set| set.profiles().filter_map(|name| set.get_profile(name)))
    }
}

/// Returns the process of a profile, and the keys that make the SDK load the profile's credentials
/// from `source`; `None` if the SDK would use no process for it.
fn replacement(profile: &Profile, source: &str) -> Option<(String, CredentialProcess)> {
    let command = profile.get("credential_process")?;
    if BEFORE_PROCESS.iter().any(|key| profile.get(key).is_some()) {
        return None;
    }
    let name = profile.name();
    let section = match (profile.get("role_arn"), profile.get("source_profile")) {
        (None, _) => format!("[profile {name}]\ncredential_source = {source}\n"),
        // The role is assumed with the credentials of the same profile, which may not name two
        // sources.
        (Some(_), Some(same)) if same == name => format!(
            "[profile {name}]\nsource_profile = {source}\n\
             [profile {source}]\ncredential_source = {source}\n"
        ),
        (Some(_), _) => return None,
    };
    let process = CredentialProcess::new(command, profile.get("aws_account_id"));
    Some((section, process))
}
