//! A port that stays one's own while nobody listens there.

use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// A port of the loopback interface. As long as the value lives, nobody is given it who asks for a free
/// one; who binds it by its number may listen there, and again later.
#[derive(Debug)]
pub struct Port {
    pub address: SocketAddr,
    /// Bound, and never listening: that hinders none who binds the address to use it again
    /// (SO_REUSEADDR), as servers do.
    _held: TcpSocket,
}

impl Port {
    pub fn free() -> Self {
        let held = TcpSocket::new_v4().unwrap();
        held.set_reuseaddr(true).unwrap();
        held.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self {
            address: held.local_addr().unwrap(),
            _held: held,
        }
    }
}
