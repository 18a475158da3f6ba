//! The kinds of values of the web configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

use hyper::header::HeaderValue;
use rustls::{CipherSuite, NamedGroup};

use crate::config::field::Field;
use crate::config::lists::Map;
use crate::config::node::{Value, quoted};
use crate::config::problem::unreadable;
use crate::config::shape::{Rule, Shape, listed};
use crate::config::values::{Single, count};
use crate::config::yaml::Yaml;

/// Most bytes of a certificate, a key or the web configuration. Bundles of authorities have some hundred
/// kilobytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Most time that a password may take to check: each cost doubles it, and 16 takes some seconds.
const MAX_COST: u32 = 16;

/// Certificates or a key, not yet parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem(pub(super) Vec<u8>);

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pem").finish_non_exhaustive()
    }
}

/// A valid bcrypt hash.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Returns whether the password has this hash. Takes the time of the hash's cost.
    pub fn matches(&self, password: &[u8]) -> bool {
        bcrypt::verify(password, &self.0).unwrap_or(false)
    }

    /// Returns the hash as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHash").finish_non_exhaustive()
    }
}

/// Which clients are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    NoClientCert,
    RequestClientCert,
    RequireAnyClientCert,
    VerifyClientCertIfGiven,
    RequireAndVerifyClientCert,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

/// Reads a regular file of a bounded size.
pub(super) fn content(path: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Ok(Err("this is not a regular file; name one".to_owned()));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(path)?
            .take(MAX_FILE + 1)
            .read_to_end(&mut bytes)?;
        Ok(match bytes.len() as u64 > MAX_FILE {
            true => Err(format!("the file has more than {MAX_FILE} bytes")),
            false => Ok(bytes),
        })
    };
    read().unwrap_or_else(|error: std::io::Error| Err(unreadable(&error)))
}

/// Reads a text as it is written.
fn raw(field: &Field<'_>, wanted: &str) -> Option<String> {
    match field.value {
        Value::Text(text) if text.is_empty() => {
            field.problem(format!("is empty; write {wanted}, or remove the key"))
        }
        Value::Text(text) => Some(text.to_string()),
        Value::Integer(_) | Value::Float(_) | Value::Switch(_) => field.problem(format!(
            "must be {wanted}, not {}; quote it if it is meant as text",
            field.value.described()
        )),
        _ => field.wrong_kind(wanted),
    }
}

/// Nothing writes a web configuration.
fn unwritten<V>(_: &V) -> Yaml {
    Yaml::Plain("null".to_owned())
}

const fn kind<V>(read: fn(&Field<'_>) -> Option<V>) -> Single<V> {
    Single {
        read,
        write: unwritten,
        shape: || Shape::Text(Rule::string("", "a string")),
    }
}

pub(super) const PEM: Single<Pem> = kind(|field| Some(Pem(raw(field, "a text in PEM")?.into())));

pub(super) const PEM_FILE: Single<Pem> = kind(|field| {
    let path = raw(field, "the path of a file in PEM")?;
    let read = content(&field.reading.folder.join(&path));
    read.map(Pem)
        .map_err(|fault| field.problem::<()>(format!("{}: {fault}", quoted(&path))))
        .ok()
});

pub(super) const SAN: Single<String> = kind(|field| raw(field, "a name"));

pub(super) const CLIENT_AUTH: Single<ClientAuth> = kind(|field| {
    choice(
        field,
        &[
            ("NoClientCert", Ok(ClientAuth::NoClientCert)),
            ("RequestClientCert", Ok(ClientAuth::RequestClientCert)),
            // An older name of the next one.
            ("RequireClientCert", Ok(ClientAuth::RequireAnyClientCert)),
            ("RequireAnyClientCert", Ok(ClientAuth::RequireAnyClientCert)),
            (
                "VerifyClientCertIfGiven",
                Ok(ClientAuth::VerifyClientCertIfGiven),
            ),
            (
                "RequireAndVerifyClientCert",
                Ok(ClientAuth::RequireAndVerifyClientCert),
            ),
        ],
    )
});

pub(super) const VERSION: Single<TlsVersion> = kind(|field| {
    const OLD: &str = "is insecure and not supported; write TLS12 or TLS13";
    choice(
        field,
        &[
            ("TLS10", Err(OLD)),
            ("TLS11", Err(OLD)),
            ("TLS12", Ok(TlsVersion::Tls12)),
            ("TLS13", Ok(TlsVersion::Tls13)),
        ],
    )
});

pub(super) const CURVE: Single<NamedGroup> = kind(|field| {
    choice(
        field,
        &[
            ("CurveP256", Ok(NamedGroup::secp256r1)),
            ("CurveP384", Ok(NamedGroup::secp384r1)),
            ("X25519", Ok(NamedGroup::X25519)),
            (
                "CurveP521",
                Err("is not supported by the TLS library (ring); use CurveP384"),
            ),
        ],
    )
});

pub(super) const SUITE: Single<CipherSuite> = kind(|field| {
    const OLD: &str = "has no forward secrecy or no authenticated encryption, and is not supported; \
         use a suite with ECDHE and GCM or CHACHA20";
    let name = raw(field, "a cipher suite")?;
    let known = SUITES.iter().find(|(known, _)| *known == name);
    match known {
        Some((_, suite)) => Some(*suite),
        None if name.starts_with("TLS_") && name.contains("_WITH_") => {
            field.problem(format!("{} {OLD}", quoted(&name)))
        }
        None => {
            let names: Vec<&str> = SUITES.iter().map(|(name, _)| *name).collect();
            field.problem(format!(
                "{} is not a cipher suite; known are {}",
                quoted(&name),
                listed(&names)
            ))
        }
    }
});

const SUITES: &[(&str, CipherSuite)] = {
    use CipherSuite as Suite;
    &[
        (
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ),
        (
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ),
        (
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ),
        (
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ),
        (
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ),
        (
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ),
        // As in Go, these are always enabled.
        ("TLS_AES_128_GCM_SHA256", Suite::TLS13_AES_128_GCM_SHA256),
        ("TLS_AES_256_GCM_SHA384", Suite::TLS13_AES_256_GCM_SHA384),
        (
            "TLS_CHACHA20_POLY1305_SHA256",
            Suite::TLS13_CHACHA20_POLY1305_SHA256,
        ),
    ]
};

pub(super) const HTTP2: Single<bool> = kind(|field| {
    match field.value {
    Value::Switch(false) => Some(false),
    Value::Switch(true) => field.problem(
        "HTTP/2 is not supported, because the exporter serves HTTP/1.1 only; write false or remove the key",
    ),
    _ => field.wrong_kind("true or false"),
}
});

pub(super) const BURST: Single<u32> = Single {
    read: |field| count(field, 0, u32::MAX),
    write: unwritten,
    shape: || Shape::Count {
        least: 0,
        most: u32::MAX,
    },
};

/// The headers that can be configured, as in the toolkit, with their allowed values, if they are few.
const ALLOWED_HEADERS: &[(&str, &[&str])] = &[
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

pub(super) const HEADERS: Single<BTreeMap<String, String>> = kind(|field| {
    let entries = field.entries("a mapping of header names to values")?;
    let read = entries.into_iter().map(|(name, field)| {
        let Some((_, values)) = ALLOWED_HEADERS.iter().find(|(known, _)| *known == name) else {
            let names: Vec<&str> = ALLOWED_HEADERS.iter().map(|(name, _)| *name).collect();
            field.key_problem(&format!(
                "this header cannot be configured; possible are {}",
                listed(&names)
            ));
            return None;
        };
        let value = raw(&field, "a string")?;
        if !values.is_empty() && !values.contains(&value.as_str()) {
            let values = values.join(" or ");
            return field.problem(format!("must be {values}, not {}", quoted(&value)));
        }
        if HeaderValue::from_str(&value).is_err() {
            return field.problem("has a character that a header cannot have");
        }
        Some((name.to_owned(), value))
    });
    let read: Vec<Option<(String, String)>> = read.collect();
    read.into_iter().collect()
});

/// Users; a password is never in a message.
pub(super) const USERS: Map<Single<PasswordHash>> = Map {
    of: kind(|field| {
        let Value::Text(hash) = field.value else {
            return field.problem("must be a bcrypt hash in quotes, such as \"$2y$10$...\"");
        };
        // An empty password is enough to learn whether the hash is one, and the lowest cost is quick.
        let cost = hash.split('$').nth(2).and_then(|cost| cost.parse().ok());
        let is_too_high = cost.is_some_and(|cost: u32| cost > MAX_COST);
        if is_too_high {
            return field.problem(format!(
                "the cost of the hash is over {MAX_COST}, so that each check would take many seconds; \
                 use 10 to 12"
            ));
        }
        match hash.parse::<bcrypt::HashParts>() {
            Ok(_) => Some(PasswordHash(hash.to_string())),
            Err(_) => field.problem(
                "is not a bcrypt hash; make one with: htpasswd -nBC 10 \"\" | tr -d ':\\n'",
            ),
        }
    }),
    wanted: "a mapping of user names to bcrypt hashes",
    key_fault: |name| {
        let is_bad = name.is_empty() || name.contains(':') || name.chars().any(char::is_control);
        is_bad.then_some("a user name is not empty, and has neither a colon nor control characters")
    },
    empty: None,
    shape: Shape::Labels,
};

/// Reads one of these names; the value of an unsupported one is its problem.
fn choice<V: Copy>(field: &Field<'_>, choices: &[(&str, Result<V, &str>)]) -> Option<V> {
    let supported = choices.iter().filter(|(_, value)| value.is_ok());
    let names: Vec<&str> = supported.map(|(name, _)| *name).collect();
    let text = raw(field, names[0])?;
    match choices.iter().find(|(name, _)| *name == text) {
        Some((_, Ok(value))) => Some(*value),
        Some((_, Err(fault))) => field.problem(format!("{} {fault}", quoted(&text))),
        None => field.problem(format!(
            "{} is not a known value; known are {}",
            quoted(&text),
            listed(&names)
        )),
    }
}
