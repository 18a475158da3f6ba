//! Binds the sockets for `--web.listen-address`.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Size of a connection's send buffer in bytes. The system would let it grow to some megabytes, so that
/// clients that do not read would use much memory, and would not be noticed.
const SEND_BUFFER: usize = 256 * 1024;

/// Listens on `:10850` (every interface, IPv6 and IPv4), `127.0.0.1:10850`, `[::1]:10850` or
/// `localhost:10850` (every address of the name). Port 0 picks a free one, the same for all
/// addresses of a name.
///
/// # Errors
///
/// The address, the reason of the failure, and valid examples.
pub async fn bind(address: &str) -> Result<Vec<TcpListener>, String> {
    let Some((host, port)) = split(address) else {
        return Err(format!(
            "cannot listen on {address:?}: an address is a host and a port, \
             like :10850, 127.0.0.1:10850, [::1]:10850 or localhost:10850"
        ));
    };
    if host.is_empty() {
        return bind_everywhere(port)
            .map(|listener| vec![listener])
            .map_err(|error| refused(address, &error));
    }
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| {
            format!(
                "cannot listen on {address}: {host} does not resolve ({error}); \
                 use a name or address of this machine, or omit it to listen on every interface"
            )
        })?;
    bind_each(addresses).map_err(|error| refused(address, &error))
}

/// Host, without the brackets of IPv6, and port.
fn split(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    // Rust would take `+1` for a number.
    let port = port.bytes().all(|b| b.is_ascii_digit()).then_some(port)?;
    let port = port.parse().ok()?;
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']')?;
        inner.parse::<Ipv6Addr>().ok()?;
        return Some((inner, port));
    }
    // Without brackets, the port of an IPv6 address is ambiguous.
    (!host.contains([':', '/', ' '])).then_some((host, port))
}

/// IPv6 and IPv4 on one socket, or IPv4 alone where the machine has no other.
fn bind_everywhere(port: u16) -> io::Result<TcpListener> {
    match listen(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
        Err(error) if is_absent(&error) => listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        bound => bound,
    }
}

/// A name can have an address of a family that the machine lacks, as `localhost` in a container:
/// one that can be bound is enough, unless another is taken or forbidden.
fn bind_each(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<Vec<TcpListener>> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut tried = Vec::new();
    let mut absent = None;
    for mut address in addresses {
        if tried.contains(&address) {
            continue;
        }
        tried.push(address);
        if address.port() == 0
            && let Some(first) = listeners.first()
        {
            address.set_port(first.local_addr()?.port());
        }
        match listen(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if is_absent(&error) => absent = Some(error),
            Err(error) => return Err(error),
        }
    }
    match absent {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

/// Tokio's own would leave it to the system whether `[::]` takes IPv4 too.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(address.ip() != Ipv6Addr::UNSPECIFIED)?;
    }
    // As tokio does: a restart need not wait for the connections of the process before it. On
    // Windows it would let two processes have the port.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    // Connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Returns whether the machine lacks the address or its address family.
fn is_absent(error: &io::Error) -> bool {
    let unsupported = error.raw_os_error().is_some_and(|code| {
        // EAFNOSUPPORT has no `ErrorKind` of its own.
        cfg!(target_os = "linux") && code == 97 || cfg!(target_os = "macos") && code == 47
    });
    unsupported
        || matches!(
            error.kind(),
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported
        )
}

fn refused(address: &str, error: &io::Error) -> String {
    let right = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another process listens there: stop it, or choose another port"
        }
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 require a privilege: choose a higher port"
        }
        io::ErrorKind::AddrNotAvailable => {
            "; this machine does not have this address: omit it to listen on every interface"
        }
        _ => "",
    };
    format!("cannot listen on {address}: {error}{right}")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn bound(address: &str) -> Vec<SocketAddr> {
        let listeners = bind(address).await.unwrap();
        listeners.iter().map(|l| l.local_addr().unwrap()).collect()
    }

    #[tokio::test]
    async fn port_alone_listens_on_every_interface() {
        let listeners = bind(":0").await.unwrap();
        let port = listeners[0].local_addr().unwrap().port();
        let connected = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
        assert!(connected.is_ok(), "{connected:?}");
    }

    #[tokio::test]
    async fn host_is_listened_on_alone() {
        let [address] = bound("127.0.0.1:0").await[..] else {
            panic!("one address has one listener");
        };
        assert_eq!(address.ip(), Ipv4Addr::LOCALHOST);
        assert_ne!(address.port(), 0);
    }

    #[tokio::test]
    async fn name_is_listened_on_at_each_of_its_addresses_and_one_port() {
        let addresses = bound("localhost:0").await;
        assert!(!addresses.is_empty());
        for address in &addresses {
            assert!(address.ip().is_loopback());
            assert_eq!(address.port(), addresses[0].port());
        }
    }

    #[tokio::test]
    async fn invalid_listen_address_is_rejected_with_examples() {
        for address in [
            "",
            "10850",
            "localhost",
            "localhost:",
            "localhost:http",
            ":65536",
            ":+1",
            "::1:10850",
            "[::1]",
            "[localhost]:1",
            "http://localhost:1",
        ] {
            let error = bind(address).await.unwrap_err();
            assert_eq!(
                error,
                format!(
                    "cannot listen on {address:?}: an address is a host and a port, \
                     like :10850, 127.0.0.1:10850, [::1]:10850 or localhost:10850"
                )
            );
        }
    }

    #[tokio::test]
    async fn taken_port_is_refused_with_its_reason() {
        let first = bind("127.0.0.1:0").await.unwrap();
        let address = first[0].local_addr().unwrap().to_string();
        let error = bind(&address).await.unwrap_err();
        assert!(
            error.starts_with(&format!("cannot listen on {address}: ")),
            "{error}"
        );
        assert!(
            error.ends_with("another process listens there: stop it, or choose another port"),
            "{error}"
        );
    }
}
