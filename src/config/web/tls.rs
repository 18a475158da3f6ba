//! Builds the TLS server from its section.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

use super::clients::{AllowedNames, AnyCertificate};
use super::keys::TlsServerConfig;
use super::kinds::{ClientAuth, Pem, TlsVersion};
use crate::config::field::Field;

/// The keys of a content: of the file that has it, and inline.
const CERT: [&str; 2] = ["cert_file", "cert"];
const KEY: [&str; 2] = ["key_file", "key"];
const CLIENT_CA: [&str; 2] = ["client_ca_file", "client_ca"];

/// Returns the server, or notes all problems between the keys and in the files.
pub(super) fn server(tls: &TlsServerConfig, section: &Field<'_>) -> Option<Arc<ServerConfig>> {
    let provider = Arc::new(provider(tls));
    let certified = certified(tls, section, &provider);
    let verifier = verifier(tls, section, &provider);
    let versions = versions(tls, section);
    let (certified, verifier, versions) = (certified?, verifier?, versions?);
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|error| section.problem::<()>(error.to_string()))
        .ok()?;
    let resolver = Arc::new(SingleCertAndKey::from(certified));
    let mut server = builder
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(resolver);
    server.ignore_client_order = tls.prefer_server_cipher_suites;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(Arc::new(server))
}

/// The cryptography of the AWS SDK, restricted to what is configured.
fn provider(tls: &TlsServerConfig) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !tls.cipher_suites.is_empty() {
        let all = std::mem::take(&mut provider.cipher_suites);
        let is_new = |suite: &&SupportedCipherSuite| suite.tls13().is_some();
        let named = tls.cipher_suites.iter();
        let old = named.filter_map(|name| {
            let mut old = all.iter().filter(|suite| !is_new(suite));
            old.find(|suite| suite.suite() == *name)
        });
        // As in Go, the suites of TLS 1.3 cannot be configured.
        provider.cipher_suites = all.iter().filter(is_new).chain(old).copied().collect();
    }
    if !tls.curve_preferences.is_empty() {
        let all = std::mem::take(&mut provider.kx_groups);
        let named = tls.curve_preferences.iter();
        let groups = named.filter_map(|name| all.iter().find(|group| group.name() == *name));
        provider.kx_groups = groups.copied().collect();
    }
    provider
}

/// Notes a problem at the first of the keys that is there.
fn problem<T>(section: &Field<'_>, keys: [&str; 2], message: impl AsRef<str>) -> Option<T> {
    let entries = section.entries("a mapping").unwrap_or_default();
    let find = |key| entries.iter().find(|(name, _)| *name == key);
    match keys.into_iter().find_map(find) {
        Some((_, field)) => field.problem(message),
        None => section.problem(message),
    }
}

/// Returns the content of a pair of keys, one inline and one that names a file.
fn content<'a>(
    section: &Field<'_>,
    inline: (&str, &'a Option<Pem>),
    file: (&str, &'a Option<Pem>),
) -> Option<Option<&'a Pem>> {
    match (inline.1, file.1) {
        (Some(_), Some(_)) => problem(
            section,
            [inline.0, file.0],
            format!(
                "{} and {} exclude each other; remove one of them",
                inline.0, file.0
            ),
        ),
        (inline, file) => Some(inline.as_ref().or(file.as_ref())),
    }
}

fn certified(
    tls: &TlsServerConfig,
    section: &Field<'_>,
    provider: &CryptoProvider,
) -> Option<CertifiedKey> {
    let cert = content(section, ("cert", &tls.cert), ("cert_file", &tls.cert_file));
    let key = content(section, ("key", &tls.key), ("key_file", &tls.key_file));
    let (cert, key) = (cert?, key?);
    if cert.is_none() {
        section.problem::<()>("has neither cert nor cert_file; add one of them");
    }
    if key.is_none() {
        section.problem::<()>("has neither key nor key_file; add one of them");
    }
    let chain = certificates(cert?, CERT, section);
    let key = PrivateKeyDer::from_pem_slice(&key?.0);
    let key = key.map_err(|_| {
        let message = "this is no private key in PEM, or it has a passphrase";
        problem::<()>(section, KEY, message);
    });
    let certified = CertifiedKey::from_der(chain?, key.ok()?, provider);
    certified
        .map_err(|error| {
            let message = format!("the key does not fit the certificate: {error}");
            problem::<()>(section, KEY, message);
        })
        .ok()
}

/// Returns at least one certificate.
fn certificates(
    pem: &Pem,
    keys: [&str; 2],
    section: &Field<'_>,
) -> Option<Vec<CertificateDer<'static>>> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.0).collect();
    match parsed {
        Ok(certificates) if !certificates.is_empty() => Some(certificates),
        Ok(_) => problem(section, keys, "this has no CERTIFICATE in PEM"),
        Err(error) => problem(section, keys, format!("this is not valid PEM: {error}")),
    }
}

fn versions(
    tls: &TlsServerConfig,
    section: &Field<'_>,
) -> Option<Vec<&'static SupportedProtocolVersion>> {
    if tls.min_version > tls.max_version {
        let message = "min_version is over max_version; exchange them";
        return problem(section, ["min_version", "max_version"], message);
    }
    let all = [
        (TlsVersion::Tls12, &rustls::version::TLS12),
        (TlsVersion::Tls13, &rustls::version::TLS13),
    ];
    let range = tls.min_version..=tls.max_version;
    let selected = all.iter().filter(|(version, _)| range.contains(version));
    Some(selected.map(|(_, version)| *version).collect())
}

fn verifier(
    tls: &TlsServerConfig,
    section: &Field<'_>,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn ClientCertVerifier>> {
    let authorities = content(
        section,
        ("client_ca", &tls.client_ca),
        ("client_ca_file", &tls.client_ca_file),
    )?;
    let auth = tls.client_auth_type;
    if authorities.is_some() && auth == ClientAuth::NoClientCert {
        return problem(
            section,
            CLIENT_CA,
            "this has no effect without client_auth_type; add client_auth_type: \
             RequireAndVerifyClientCert",
        );
    }
    let is_required = matches!(
        auth,
        ClientAuth::RequireAnyClientCert | ClientAuth::RequireAndVerifyClientCert
    );
    if !tls.client_allowed_sans.is_empty() && !is_required {
        return problem(
            section,
            ["client_allowed_sans", "client_auth_type"],
            "this needs client_auth_type: RequireAndVerifyClientCert or RequireAnyClientCert, \
             because other clients may have no certificate to compare",
        );
    }
    let any = |is_required| Arc::new(AnyCertificate::new(provider, is_required));
    let verifier: Arc<dyn ClientCertVerifier> = match auth {
        ClientAuth::NoClientCert => Arc::new(NoClientAuth),
        ClientAuth::RequestClientCert => any(false),
        ClientAuth::RequireAnyClientCert => any(true),
        ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert => {
            let Some(authorities) = authorities else {
                return problem(
                    section,
                    ["client_auth_type", "client_ca"],
                    "this needs client_ca_file or client_ca: the exporter does not accept clients \
                     of the system's authorities",
                );
            };
            let roots = roots(authorities, section)?;
            let builder = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
            let builder = match is_required {
                true => builder,
                false => builder.allow_unauthenticated(),
            };
            let built = builder.build();
            built
                .map_err(|error| problem::<()>(section, CLIENT_CA, error.to_string()))
                .ok()?
        }
    };
    Some(match tls.client_allowed_sans.is_empty() {
        true => verifier,
        false => Arc::new(AllowedNames::new(verifier, tls.client_allowed_sans.clone())),
    })
}

fn roots(authorities: &Pem, section: &Field<'_>) -> Option<Arc<RootCertStore>> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authorities, CLIENT_CA, section)? {
        if let Err(error) = roots.add(certificate) {
            let message = format!("this has a certificate that is not valid: {error}");
            return problem(section, CLIENT_CA, message);
        }
    }
    Some(Arc::new(roots))
}
