//! Prometheus exporter for the step executions of EC2 Image Builder workflows.

pub mod api;
pub mod config;
pub mod exposition;
pub mod family;
pub mod http;
pub mod labels;
pub mod model;
pub mod self_metrics;
pub mod simulator;
pub mod store;
