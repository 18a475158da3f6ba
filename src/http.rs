//! What the exporter answers over HTTP, and the server that answers it.
//!
//! Owns connections, routes and the stop of both; the text of a scrape is `exposition`'s, and what
//! the answers tell of the program comes through [`Exporter`]. Fed by `app`, which binds the
//! sockets ([`bind`]) and says when to stop.

mod body;
mod exporter;
mod listen;
mod negotiation;
mod pages;
mod response;
mod routes;
mod server;

pub use exporter::{Exporter, Reload};
pub use listen::bind;
pub use server::Server;
