//! Tests over real sockets, in one binary so that the SDK is linked once.

mod demo;
mod simulator;
