//! Parses the values of flags.

use std::net::SocketAddr;
use std::str::FromStr;

pub(super) fn region(text: &str) -> Result<String, String> {
    match crate::model::identifier::is_region(text) {
        true => Ok(text.to_owned()),
        false => Err("expected a region such as us-west-2".to_owned()),
    }
}

pub(super) fn whole_number<N: FromStr>(text: &str) -> Result<N, String> {
    let number = text.parse();
    number.map_err(|_| "expected a whole number such as 0 or 3".to_owned())
}

pub(super) fn speed(text: &str) -> Result<f64, String> {
    let number = text.parse();
    number.map_err(|_| "expected a number such as 10; 1 is real time".to_owned())
}

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse();
    address.map_err(|_| {
        "expected an IP address and a port, such as 127.0.0.1:10851 or [::1]:10851".to_owned()
    })
}

pub(super) fn telemetry_path(path: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    if !path.starts_with('/') || !path.bytes().all(plain) {
        return Err(
            "expected a path that starts with / and has only letters, digits and / - _ . ~"
                .to_owned(),
        );
    }
    if path.starts_with("/-/") {
        return Err("paths under /-/ are reserved for the exporter".to_owned());
    }
    if path == crate::status::JSON_PATH {
        return Err("this path is reserved for the status as JSON".to_owned());
    }
    if path == crate::status::CONFIG_PATH {
        return Err("this path is reserved for the effective configuration".to_owned());
    }
    Ok(path.to_owned())
}
