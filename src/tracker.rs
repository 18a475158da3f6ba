//! The core: all that is known of one target and region, and when to poll it.
//!
//! A [`Tracker`] is a state machine without I/O, locks, logs or metrics. The time, responses and the
//! owners of resources come in as arguments; calls to make, [`Changes`] and a
//! [`Snapshot`](crate::snapshot::Snapshot) come out.
//! The poller drives it, and any order of events can be tested without a runtime:
//!
//! ```text
//! configure(assignment)  --+                      +--> next_due, next_call
//! handle(response)       --+--> steps, executions +--> Changes   (what happened)
//! handle_timeout         --+    images, pipelines +--> snapshot  (what is known)
//! review_ownership       --+
//! ```
//!
//! To read it: `steps`, `executions`, `images` and `pipelines` each own their records and the rules
//! about a single one of them. `workflows` and `observations` have the rules that concern
//! steps and executions together, `polling` how they are polled. `discovery` reads the account's lists. `queue`
//! holds the calls that are due, `retention` what expires; `pager` and `retry` serve all calls.
//! `failure_review` decides which failures are unresolved.
//! What crosses from workflows to images and back is in `machine` and `responses`.

mod account_list;
mod assignment;
mod available;
mod budget;
mod changes;
mod context;
mod discovery;
mod executions;
mod failure_review;
mod failures;
mod history;
mod image;
mod image_executions;
mod images;
mod labels;
mod listed;
mod machine;
mod needs;
mod observations;
mod ownership;
mod pace;
mod page_size;
mod pager;
mod pipelines;
mod polling;
mod queue;
mod recovery;
mod responses;
mod retention;
mod retry;
mod selection;
mod slot;
mod step;
mod step_list;
mod steps;
mod waiting;
mod workflows;

#[cfg(test)]
mod tests;

pub use assignment::Assignment;
pub use budget::Budgets;
pub use changes::{Changes, Notice, StepChange};
pub use history::RATE_PART as HISTORY_RATE_PART;
pub use labels::own_labels;
pub use listed::Listed;
pub use machine::Tracker;
pub use needs::{needed_operations, without};
pub use ownership::{Ownership, Resource};
pub use page_size::{LARGE as LARGE_PAGE, SMALL as SMALL_PAGE};
pub use queue::{DueCall, Urgency};
pub use selection::Selection;
