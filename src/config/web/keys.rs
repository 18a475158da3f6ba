//! Declares the keys of the web configuration file.

use std::collections::BTreeMap;
use std::time::Duration;

use super::kinds::{
    BURST, CLIENT_AUTH, CURVE, ClientAuth, HEADERS, HTTP2, PEM, PEM_FILE, PasswordHash, Pem, SAN,
    SUITE, TlsVersion, USERS, VERSION,
};
use crate::config::lists::{List, Optional};
use crate::config::node::Value;
use crate::config::section::{
    Absent, Default, Entries, Fallback, Kind, Settings, mapping, section, shape_of,
};
use crate::config::shape::{Key, LeftOut, Section};
use crate::config::values::{DURATION_OR_ZERO, SWITCH};
use crate::config::yaml::Yaml;

section! {
    /// Top level of the web configuration file.
    struct WebConfig {
        /// Certificate of the server, and which clients it accepts.
        tls_server_config: Option<TlsServerConfig> = Optional(mapping()), Absent("no TLS");
        /// HTTP version and headers of responses.
        http_server_config: HttpServerConfig = mapping(), Default("{}");
        /// Names of users, with the bcrypt hashes of their passwords.
        basic_auth_users: BTreeMap<String, PasswordHash> = USERS, Absent("no password");
        /// Token bucket of requests.
        rate_limit: WebRateLimit = mapping(), Default("{}");
    }
}

section! {
    /// Certificate of the server, and which clients it accepts.
    struct TlsServerConfig {
        /// Certificate of the server and its intermediates, as PEM.
        cert: Option<Pem> = Optional(PEM), Absent("`cert_file`");
        /// File with the same.
        cert_file: Option<Pem> = Optional(PEM_FILE), Absent("`cert`");
        /// Private key of the certificate, as PEM.
        key: Option<Pem> = Optional(PEM), Absent("`key_file`");
        /// File with the same.
        key_file: Option<Pem> = Optional(PEM_FILE), Absent("`key`");
        /// Authorities of client certificates, as PEM.
        client_ca: Option<Pem> = Optional(PEM), Absent("`client_ca_file`");
        /// File with the same.
        client_ca_file: Option<Pem> = Optional(PEM_FILE), Absent("`client_ca`");
        /// Which clients are accepted.
        client_auth_type: ClientAuth = CLIENT_AUTH, Default("NoClientCert");
        /// Subject alternative names, one of which a client certificate must have.
        client_allowed_sans: Vec<String> = List {
            of: SAN,
            wanted: "a list of names, such as [prometheus.example.com]",
            empty: Some("is empty, so no client would be accepted; add a name or remove the key"),
        }, Absent("any");
        /// Lowest accepted version of TLS.
        min_version: TlsVersion = VERSION, Default("TLS12");
        /// Highest accepted version of TLS.
        max_version: TlsVersion = VERSION, Default("TLS13");
        /// Cipher suites of TLS 1.2, in the order of preference.
        cipher_suites: Vec<rustls::CipherSuite> = List {
            of: SUITE,
            wanted: "a list of cipher suites, such as [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]",
            empty: None,
        }, Absent("all");
        /// Key exchange groups, in the order of preference.
        curve_preferences: Vec<rustls::NamedGroup> = List {
            of: CURVE,
            wanted: "a list of curves, such as [X25519, CurveP256]",
            empty: None,
        }, Absent("all");
        /// Whether the server's order of cipher suites decides, not the client's.
        prefer_server_cipher_suites: bool = SWITCH, Default("true");
    }
}

section! {
    /// HTTP version and headers of responses.
    struct HttpServerConfig {
        /// Whether HTTP/2 is enabled.
        http2: bool = HTTP2, Default("false");
        /// Headers of every response.
        headers: BTreeMap<String, String> = HEADERS, Absent("none");
    }
}

section! {
    /// Token bucket of requests.
    struct WebRateLimit: Copy, checked by rate_limit_rules {
        /// Time after which a request takes one token less; 0 for no limit.
        interval: Duration = DURATION_OR_ZERO, Default("0s");
        /// Number of requests at once.
        burst: u32 = BURST, Default("0");
    }
}

fn rate_limit_rules(entries: &Entries<'_>) {
    let is_set = |name| entries.find(name).is_some();
    let has_no_burst = match entries.find("burst") {
        None => true,
        Some(burst) => matches!(burst.value, Value::Integer(0)),
    };
    let interval = entries.find("interval");
    let interval = interval.and_then(|field| field.quietly(|field| DURATION_OR_ZERO.read(field)));
    if is_set("interval") && has_no_burst && interval.is_some_and(|interval| !interval.is_zero()) {
        entries.field.problem::<()>(
            "without a burst of at least 1, every request would be refused; add burst: 10",
        );
    }
}
