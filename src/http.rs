//! Serves the exporter's responses over HTTP.
//!
//! Owns connections, routes and the shutdown of the server. `exposition` renders scrapes, and
//! [`Exporter`] provides the data. `app` binds the sockets ([`bind`]) and signals the stop.

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
