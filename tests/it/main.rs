//! Tests of the exporter through its sockets.

mod http;
