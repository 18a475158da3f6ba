//! Masks credentials in the texts of errors.
//!
//! An error can repeat what was sent: the service returns the signed headers of a request whose
//! signature it rejects, and a `credential_process` may print what it read. Each error passes
//! [`Secrets::masked`] before it is logged, exposed or shown. It masks every credential that the
//! process has loaded, the values of headers and members that carry credentials, and words that
//! look like credentials.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;

/// Replaces a credential.
const MASK: &str = "[masked]";

/// The number of values that are remembered. Credentials that expired long ago are forgotten.
const MAX_VALUES: usize = 4_096;

/// A shorter value could be part of any word.
const SHORTEST: usize = 8;

/// The length of the texts that are read: the beginning, as an error may have any length.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Names of headers, members and variables whose values are masked, without `-` and `_`.
const NAMES: [&str; 11] = [
    "accesskey",
    "authorization",
    "authorizationtoken",
    "bearertoken",
    "cookie",
    "externalid",
    "metadatatoken",
    "password",
    "securitytoken",
    "sessiontoken",
    "webidentitytoken",
];

/// Environment variables that hold credentials.
const VARIABLES: [&str; 3] = [
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// The credentials that the process has loaded, shared by all clients.
#[derive(Clone, Default)]
pub(super) struct Secrets(Arc<Mutex<VecDeque<String>>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Returns the credentials that the environment holds, those of a proxy included.
    pub(super) fn of_environment(environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let secrets = Self::default();
        for value in VARIABLES.into_iter().filter_map(environment) {
            secrets.add(&value);
        }
        for variable in super::proxy::PROXY {
            let address = environment(variable).unwrap_or_default();
            let Some((user, _)) = address.rsplit_once('@') else {
                continue;
            };
            let user = user.rsplit("//").next().unwrap_or(user);
            secrets.add(user);
            if let Some((_, password)) = user.split_once(':') {
                secrets.add(password);
            }
        }
        secrets
    }

    /// Remembers credentials that were loaded.
    pub(super) fn add_credentials(&self, credentials: &Credentials) {
        self.add(credentials.secret_access_key());
        if let Some(token) = credentials.session_token() {
            self.add(token);
        }
    }

    /// Remembers a value that is a secret.
    pub(super) fn add(&self, value: &str) {
        if value.len() < SHORTEST {
            return;
        }
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if values.iter().any(|known| known == value) {
            return;
        }
        if values.len() == MAX_VALUES {
            values.pop_front();
        }
        values.push_back(value.to_owned());
    }

    /// Returns the text without credentials.
    pub(super) fn masked(&self, text: &str) -> String {
        let mut text = text[..text.floor_char_boundary(MAX_TEXT_BYTES)].to_owned();
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for value in values.iter() {
            for written in [value.clone(), percent_encoded(value)] {
                if text.contains(&written) {
                    text = text.replace(&written, MASK);
                }
            }
        }
        drop(values);
        masked_words(&masked_values(&masked_members(&text)))
    }
}

/// Returns the value as a query string or form contains it.
fn percent_encoded(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// Masks the values of [`NAMES`] as services repeat them: `Value 'abc' at 'externalId' failed`.
fn masked_members(text: &str) -> String {
    const BEGINS: &str = "Value '";
    const ENDS: &str = "' at '";
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = rest.find(ENDS) {
        let (before, after) = rest.split_at(end);
        let name = after[ENDS.len()..].split('\'').next().unwrap_or_default();
        match before.find(BEGINS).filter(|_| secret_name(name).is_some()) {
            Some(begin) => {
                masked.push_str(&before[..begin + BEGINS.len()]);
                masked.push_str(MASK);
            }
            None => masked.push_str(before),
        }
        masked.push_str(ENDS);
        rest = &after[ENDS.len()..];
    }
    masked.push_str(rest);
    masked
}

/// Masks the values of [`NAMES`].
fn masked_values(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(end) = rest.find([':', '=', '>']) {
        let (before, after) = rest.split_at(end + 1);
        masked.push_str(before);
        rest = after;
        let Some(name) = secret_name(&before[..end]) else {
            continue;
        };
        let value_at = rest.len() - rest.trim_start_matches([' ', '"', '\'', '\\']).len();
        let value = &rest[value_at..];
        let ends = |character: char| match name {
            // Its value has several parts.
            "authorization" => matches!(character, '\n' | '\r' | '"' | '\'' | '<'),
            _ => character.is_whitespace() || "\"'\\,;&<>)]}".contains(character),
        };
        let length = value.find(ends).unwrap_or(value.len());
        masked.push_str(&rest[..value_at]);
        if length > 0 && !value[..length].starts_with(MASK) {
            masked.push_str(MASK);
            rest = &value[length..];
        } else {
            rest = value;
        }
    }
    masked.push_str(rest);
    masked
}

/// Returns the name of a credential with which the text ends, if it does.
fn secret_name(text: &str) -> Option<&'static str> {
    let text = text.trim_end_matches([' ', '"', '\'', '\\']);
    let word = text.rfind(|character: char| {
        !(character.is_ascii_alphanumeric() || character == '-' || character == '_')
    });
    let word = word.map_or(text, |at| {
        let after = at + text[at..].chars().next().map_or(1, char::len_utf8);
        &text[after..]
    });
    let word: String = { word.chars() }
        .filter(|character| character.is_ascii_alphanumeric())
        .map(|character| character.to_ascii_lowercase())
        .collect();
    NAMES.into_iter().find(|name| word.ends_with(name))
}

/// Masks the words that look like a secret key or a token of AWS, whoever's they are.
fn masked_words(text: &str) -> String {
    let is_of_word = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '+' | '/' | '.' | '_' | '%' | '-')
    };
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(is_of_word) {
        masked.push_str(&rest[..begin]);
        rest = &rest[begin..];
        let end = rest.find(|character| !is_of_word(character));
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        masked.push_str(if looks_secret(word) { MASK } else { word });
        rest = after;
    }
    masked.push_str(rest);
    masked
}

/// Returns whether a word has the form of a secret access key (40 characters of base64) or of a
/// session token or JSON web token (100 characters or more). A path has more slashes.
fn looks_secret(word: &str) -> bool {
    let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
    let slashes = count(|byte| *byte == b'/');
    let of_key = count(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte)) == word.len();
    let is_mixed = count(u8::is_ascii_uppercase) > 2
        && count(u8::is_ascii_lowercase) > 2
        && count(u8::is_ascii_digit) > 0;
    let has_length = (word.len() == 40 && of_key && slashes < 4)
        || (word.len() >= 100 && slashes * 20 < word.len());
    is_mixed && has_length
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn secrets() -> Secrets {
        let secrets = Secrets::default();
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "short+/key",
            Some("to+ken/==".into()),
            None,
            "test",
        );
        secrets.add_credentials(&credentials);
        secrets
    }

    #[test]
    fn loaded_credentials_are_masked_wherever_they_are() {
        let text = "bad to+ken/==, and encoded to%2Bken%2F%3D%3D; key short+/key";
        let masked = secrets().masked(text);
        assert_eq!(masked, "bad [masked], and encoded [masked]; key [masked]");
    }

    #[test]
    fn values_of_headers_and_members_are_masked() {
        let masked = |text| Secrets::default().masked(text);
        for (text, expected) in [
            (
                "host:a\nx-amz-security-token:IQoJb3JpZ2lu\n\nhost;x-amz-security-token\ne3b0",
                "host:a\nx-amz-security-token:[masked]\n\nhost;x-amz-security-token\ne3b0",
            ),
            (
                "Authorization: AWS4-HMAC-SHA256 Credential=AKID/2026, Signature=ab\nhost: a",
                "Authorization: [masked]\nhost: a",
            ),
            (
                "Proxy-Authorization=Basic dXNlcjpwYXNz",
                "Proxy-Authorization=[masked]",
            ),
            (
                r#"{"SecretAccessKey": "s3cr3t", "SessionToken":"tok", "Version": 1}"#,
                r#"{"SecretAccessKey": "[masked]", "SessionToken":"[masked]", "Version": 1}"#,
            ),
            (
                r#"{\"SecretAccessKey\": \"s3cr3t\"}"#,
                r#"{\"SecretAccessKey\": \"[masked]\"}"#,
            ),
            (
                "<SessionToken>tok</SessionToken>",
                "<SessionToken>[masked]</SessionToken>",
            ),
            (
                "+ export AWS_SESSION_TOKEN=tok AWS_REGION=a",
                "+ export AWS_SESSION_TOKEN=[masked] AWS_REGION=a",
            ),
            (
                "X-Amz-Security-Token=tok&X-Amz-Date=1",
                "X-Amz-Security-Token=[masked]&X-Amz-Date=1",
            ),
            (
                "x-aws-ec2-metadata-token: tok",
                "x-aws-ec2-metadata-token: [masked]",
            ),
            ("password: é", "password: [masked]"),
            (
                "x-amz-sso_bearer_token:abc\nhost:a",
                "x-amz-sso_bearer_token:[masked]\nhost:a",
            ),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn value_that_a_service_refuses_is_masked() {
        let text = "2 validation errors detected: Value 'it's=1' at 'externalId' failed to satisfy \
                    constraint; Value 'a b' at 'roleArn' failed; Value 'eyJ' at 'webIdentityToken'";
        let masked = Secrets::default().masked(text);
        let expected = text.replace("it's=1", MASK).replace("eyJ", MASK);
        assert_eq!(masked, expected);
    }

    #[test]
    fn unknown_key_or_token_is_masked_by_its_form() {
        let token = "IQoJb3JpZ2luX2VjEHoaCXVzLXdlc3QtMiJH".repeat(4);
        let masked = Secrets::default().masked(&format!("key {KEY}, token {token}."));
        assert_eq!(masked, "key [masked], token [masked]");
    }

    #[test]
    fn text_without_credentials_stays() {
        for text in [
            "HTTP 403 AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/a/b is \
             not authorized to perform: imagebuilder:GetImage on resource: \
             arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/1",
            "The security token included in the request is invalid",
            "Authorization header requires 'Credential' parameter",
            "Signature expired: 20260909T191223Z is now earlier than 20260909T191723Z",
            "step-aaaaaaaa-0000-0000-0000-000000000001 was not found: é ü",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        ] {
            assert_eq!(secrets().masked(text), text);
        }
        let long = "x".repeat(1_000_000);
        assert_eq!(Secrets::default().masked(&long).len(), MAX_TEXT_BYTES);
    }

    #[test]
    fn credentials_of_the_environment_and_its_proxy_are_masked() {
        let environment = |name: &str| match name {
            "AWS_SESSION_TOKEN" => Some("token-of-environment".to_owned()),
            "HTTPS_PROXY" => Some("http://user:pass-of-proxy@proxy:3128".to_owned()),
            _ => None,
        };
        let secrets = Secrets::of_environment(&environment);
        let masked = secrets.masked("http://user:pass-of-proxy@proxy:3128 token-of-environment");
        assert_eq!(masked, "http://[masked]@proxy:3128 [masked]");
    }
}
