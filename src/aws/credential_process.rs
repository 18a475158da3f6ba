//! Loads credentials from the process that a profile names (`credential_process`).
//!
//! The SDK's own provider reads all that the process prints into memory. This one reads at most
//! [`MAX_OUTPUT_BYTES`].

use std::process::Stdio;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::attributes::AccountId;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::processes;

/// The longest output that is read, and the part of standard error that an error text can have.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

/// See the module.
#[derive(Clone)]
pub(super) struct CredentialProcess {
    /// A command line for the shell, which may contain secrets.
    command: String,
    /// The account of credentials for which the process names none.
    account_id: Option<String>,
}

impl std::fmt::Debug for CredentialProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialProcess").finish_non_exhaustive()
    }
}

impl ProvideCredentials for CredentialProcess {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let loaded = self.run().await.and_then(|out| self.parse(&out));
            loaded.map_err(|error| {
                CredentialsError::provider_error(format!("credential_process {error}"))
            })
        })
    }
}

impl CredentialProcess {
    pub(super) fn new(command: &str, account_id: Option<&str>) -> Self {
        Self {
            command: command.to_owned(),
            account_id: account_id.map(str::to_owned),
        }
    }

    /// Returns what the process prints.
    async fn run(&self) -> Result<Vec<u8>, String> {
        let mut command = Command::new("sh");
        command.args(["-c", &self.command]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |error| format!("cannot be run: {error}");
        let mut child = command.spawn().map_err(failed)?;
        let id = child.id();
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (out, err) = tokio::join!(
            async {
                let out = beginning(out, MAX_OUTPUT_BYTES + 1).await;
                if out.len() as u64 > MAX_OUTPUT_BYTES {
                    processes::end(id);
                }
                out
            },
            async {
                let mut err = err;
                let text = beginning(err.as_mut(), MAX_OUTPUT_BYTES).await;
                // It is read to its end, so that the process can write on.
                if let Some(mut rest) = err {
                    let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
                }
                text
            }
        );
        let status = child.wait().await.map_err(failed)?;
        if out.len() as u64 > MAX_OUTPUT_BYTES {
            return Err(format!(
                "printed more than {MAX_OUTPUT_BYTES} bytes, and was ended"
            ));
        }
        match status.success() {
            true => Ok(out),
            false => {
                let err = String::from_utf8_lossy(&err);
                Err(format!("failed, {status}: {}", err.trim()))
            }
        }
    }

    /// Parses the output. No error repeats it, because it has secrets.
    fn parse(&self, output: &[u8]) -> Result<Credentials, String> {
        let output: Value = serde_json::from_slice(output)
            .map_err(|error| format!("printed no valid JSON: {error}"))?;
        let Value::Object(members) = output else {
            return Err("printed no JSON object".to_owned());
        };
        let text = |name| member(&members, name).and_then(Value::as_str);
        let required = |name| text(name).ok_or_else(|| format!("printed no {name}"));
        if member(&members, "Version").and_then(Value::as_i64) != Some(1) {
            return Err("printed another Version than 1".to_owned());
        }
        let mut credentials = Credentials::builder()
            .access_key_id(required("AccessKeyId")?)
            .secret_access_key(required("SecretAccessKey")?)
            .provider_name("CredentialProcess");
        credentials.set_session_token(text("SessionToken").map(str::to_owned));
        credentials.set_expiry(text("Expiration").map(time).transpose()?);
        let account = text("AccountId").or(self.account_id.as_deref());
        credentials.set_account_id(account.map(AccountId::from));
        Ok(credentials.build())
    }
}

/// Reads until the end or the limit. A broken pipe ends the text too.
async fn beginning(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(limit).read_to_end(&mut text).await;
    }
    text
}

/// Names are compared without case, as the SDK does.
fn member<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let mut members = members.iter();
    members.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
}

fn time(text: &str) -> Result<SystemTime, String> {
    let time = DateTime::from_str(text, Format::DateTimeWithOffset).ok();
    time.and_then(|time| SystemTime::try_from(time).ok())
        .ok_or_else(|| "printed an Expiration that is no time of RFC 3339".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(output: &str) -> Result<Credentials, String> {
        CredentialProcess::new("", Some("111122223333")).parse(output.as_bytes())
    }

    #[test]
    fn output_has_the_members_that_the_sdk_reads_in_any_case() {
        let credentials = parse(
            r#"{"version": 1, "accesskeyid": "a", "SecretAccessKey": "b", "SessionToken": "c",
                "Expiration": "2026-09-09T21:12:23+02:00", "More": []}"#,
        );
        let credentials = credentials.unwrap();
        assert_eq!(credentials.access_key_id(), "a");
        assert_eq!(credentials.secret_access_key(), "b");
        assert_eq!(credentials.session_token(), Some("c"));
        let expiry = credentials.expiry().unwrap();
        let since = expiry.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(since.as_secs(), 1_788_981_143);
        let account = credentials.account_id().map(AccountId::as_str);
        assert_eq!(account, Some("111122223333"));
    }

    #[test]
    fn invalid_output_is_not_repeated_in_the_error() {
        for (output, error) in [
            ("hidden", "no valid JSON: expected value at line 1 column 1"),
            (r#""hidden""#, "no JSON object"),
            (r#"{"SecretAccessKey": "hidden"}"#, "another Version than 1"),
            (
                r#"{"Version": 1, "SecretAccessKey": "hidden"}"#,
                "no AccessKeyId",
            ),
            (
                r#"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "hidden", "Expiration": "hidden"}"#,
                "an Expiration that is no time of RFC 3339",
            ),
        ] {
            assert_eq!(parse(output).unwrap_err(), format!("printed {error}"));
        }
    }
}
