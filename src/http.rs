//! Serves the exporter's responses over HTTP.
//!
//! Owns connections and their limits, routes and the shutdown of the server. `exposition` renders scrapes, and
//! [`Exporter`] provides the data. `app` binds the sockets ([`bind`]) and signals the stop.

mod accept;
mod batch;
mod body;
mod connections;
mod contained;
mod exporter;
mod limits;
mod listen;
mod negotiation;
mod origin;
mod pages;
mod passwords;
mod response;
mod routes;
mod server;
mod service;
mod stream;
mod tls;
mod web;

pub use exporter::{Exporter, Reload};
pub use limits::{Limits, MAX_REQUESTS};
pub use listen::bind;
pub use server::Server;
pub use web::WebFile;
