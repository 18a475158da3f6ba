//! Prometheus exporter for the step executions of EC2 Image Builder workflows.

pub mod config;
pub mod model;
pub mod simulator;
