//! Prometheus exporter for the step executions of EC2 Image Builder workflows.

pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod exposition;
pub mod family;
pub mod http;
pub mod labels;
pub mod logging;
pub mod model;
pub mod schedule;
pub mod self_metrics;
pub mod simulator;
pub mod store;
