//! Reads the web configuration file, in the format of Prometheus's exporter-toolkit.
//!
//! Each key of that format works, or is refused with the reason. In reading order: `keys` declares the
//! keys, `kinds` reads their values, `tls` builds the TLS server of them, and `clients` judges the
//! certificates of clients.

mod clients;
mod keys;
mod kinds;
mod tls;

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use rustls::ServerConfig;

use super::document::document;
use super::field::Field;
use super::node::Value;
use super::problem::Problem;
use super::reading::Reading;
use super::section::{Kind, Settings, mapping};
pub use keys::{HttpServerConfig, TlsServerConfig, WebConfig, WebRateLimit};
pub use kinds::{ClientAuth, PasswordHash, Pem, TlsVersion};

/// A valid web configuration, and the TLS server that it describes.
#[derive(Clone, Debug)]
pub struct Web {
    pub config: WebConfig,
    /// `None` for plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Web {
    /// Reads the file at the path and the files that it names.
    ///
    /// # Errors
    ///
    /// All problems, in the order of the file.
    pub fn load(path: &Path) -> Result<Self, Vec<Problem>> {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        // Hashes of passwords have a `$`, so nothing is substituted.
        let reading = Reading::new(&|_| None, folder, WebConfig::SECTION);
        let name = path.display().to_string();
        let web = document(&reading, name, kinds::content(path), |top| {
            let web = file(top)?;
            reading.is_right().then_some(web)
        });
        match web {
            Some(web) => Ok(web),
            None => Err(reading.done().0),
        }
    }
}

fn file(top: &Field<'_>) -> Option<Web> {
    // As in the toolkit: no TLS and no password.
    let is_empty = matches!(top.value, Value::Null);
    let empty = Value::Mapping(Rc::new([]));
    let config: WebConfig = match is_empty {
        true => mapping().read(&top.with_value(&empty))?,
        false => mapping().read(top)?,
    };
    let entries = match is_empty {
        true => Vec::new(),
        false => top.entries("a mapping")?,
    };
    let section = entries
        .iter()
        .find(|(name, _)| *name == "tls_server_config");
    let tls = match (&config.tls_server_config, section) {
        (Some(tls), Some((_, section))) => Some(tls::server(tls, section)?),
        _ => None,
    };
    Some(Web { config, tls })
}
