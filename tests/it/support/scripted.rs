//! The API as a script: it fails on a call that was not expected, or not then, as well as on an
//! expected one that did not come.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imagebuilder_exporter::api::{
    ApiError, ApiFuture, ErrorKind, ImageBuilder, ImagePage, ListPage, Page, Parsed, StepPage,
    WorkflowPage,
};
use imagebuilder_exporter::model::{
    Image, ImageArn, Pipeline, StepExecution, StepExecutionId, WorkflowExecution,
    WorkflowExecutionId,
};
use tokio::time::Instant;

/// The operations of discovery, for an API in which nothing is discovered.
macro_rules! discovers_nothing {
    () => {
        fn list_workflow_executions(&self, _: ImageArn, _: Page) -> ApiFuture<WorkflowPage> {
            unasked()
        }

        fn list_image_build_versions(&self, _: Page) -> ApiFuture<ImagePage> {
            unasked()
        }

        fn list_image_pipelines(&self, _: Page) -> ApiFuture<ListPage<Pipeline>> {
            unasked()
        }

        fn get_image(&self, _: ImageArn) -> ApiFuture<Image> {
            unasked()
        }
    };
}
pub(crate) use discovers_nothing;

/// What a scripted call gives.
#[derive(Clone, Debug)]
pub enum Reply<T> {
    Ok(T),
    Err(ErrorKind),
    /// An answer after so many seconds.
    Late(f64, T),
    /// No answer, ever.
    Silence,
    /// A defect of the exporter.
    Panic,
}

#[derive(Debug)]
struct Expected<T> {
    id: String,
    from: f64,
    to: f64,
    reply: Reply<T>,
}

#[derive(Debug, Default)]
struct State {
    steps: Vec<Expected<StepExecution>>,
    workflows: Vec<Expected<WorkflowExecution>>,
    lists: Vec<Expected<StepPage>>,
    /// Calls that came: seconds since the start, and what was asked for.
    log: Vec<(f64, String)>,
    faults: Vec<String>,
}

/// A script of calls and their answers. Times are seconds since it was made.
#[derive(Clone, Debug)]
pub struct Script {
    start: Instant,
    state: Arc<Mutex<State>>,
}

impl Script {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            state: Arc::default(),
        }
    }

    /// Expects a look at a step within these seconds.
    pub fn step(&self, id: StepExecutionId, when: (f64, f64), reply: Reply<StepExecution>) {
        self.state.lock().unwrap().steps.push(Expected {
            id: id.to_string(),
            from: when.0,
            to: when.1,
            reply,
        });
    }

    /// Expects a look at a workflow execution within these seconds.
    pub fn workflow(
        &self,
        id: WorkflowExecutionId,
        when: (f64, f64),
        reply: Reply<WorkflowExecution>,
    ) {
        self.state.lock().unwrap().workflows.push(Expected {
            id: id.to_string(),
            from: when.0,
            to: when.1,
            reply,
        });
    }

    /// Expects a List of a workflow execution's steps, from this token on, within these seconds.
    pub fn list(
        &self,
        id: WorkflowExecutionId,
        token: Option<&str>,
        when: (f64, f64),
        reply: Reply<StepPage>,
    ) {
        self.state.lock().unwrap().lists.push(Expected {
            id: listed(id, token),
            from: when.0,
            to: when.1,
            reply,
        });
    }

    /// Expects nothing of what is still expected.
    pub fn forget(&self) {
        let mut state = self.state.lock().unwrap();
        state.steps.clear();
        state.workflows.clear();
        state.lists.clear();
    }

    /// Seconds at which this id was asked for.
    pub fn calls(&self, id: impl fmt::Display) -> Vec<f64> {
        let id = id.to_string();
        let state = self.state.lock().unwrap();
        let log = state.log.iter().filter(|(_, called)| *called == id);
        log.map(|(at, _)| *at).collect()
    }

    /// Everything expected came, and nothing else.
    pub fn assert_played(&self) {
        let state = self.state.lock().unwrap();
        assert!(state.faults.is_empty(), "{:#?}", state.faults);
        assert!(state.steps.is_empty(), "did not come: {:#?}", state.steps);
        assert!(state.lists.is_empty(), "did not come: {:#?}", state.lists);
        assert!(
            state.workflows.is_empty(),
            "did not come: {:#?}",
            state.workflows
        );
    }

    fn play<T: Send + 'static>(
        &self,
        id: String,
        expected: impl FnOnce(&mut State) -> &mut Vec<Expected<T>>,
    ) -> ApiFuture<T> {
        let at = self.start.elapsed().as_secs_f64();
        let mut state = self.state.lock().unwrap();
        state.log.push((at, id.clone()));
        let list = expected(&mut state);
        let Some(position) = list.iter().position(|expected| expected.id == id) else {
            let fault = format!("{id} was asked for at {at:.1} s, and not expected to be");
            state.faults.push(fault);
            return Box::pin(std::future::pending());
        };
        let Expected {
            from, to, reply, ..
        } = list.remove(position);
        if !(from..=to).contains(&at) {
            let fault =
                format!("{id} was asked for at {at:.1} s, and expected between {from} and {to}");
            state.faults.push(fault);
        }
        Box::pin(async move {
            match reply {
                Reply::Ok(value) => Ok(Parsed::from(value)),
                Reply::Err(kind) => Err(ApiError::new(kind, format!("scripted {}", kind.as_str()))),
                Reply::Late(seconds, value) => {
                    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                    Ok(Parsed::from(value))
                }
                Reply::Silence => std::future::pending().await,
                Reply::Panic => panic!("as the script says"),
            }
        })
    }
}

impl ImageBuilder for Script {
    fn get_workflow_step_execution(&self, id: StepExecutionId) -> ApiFuture<StepExecution> {
        self.play(id.to_string(), |state| &mut state.steps)
    }

    fn get_workflow_execution(&self, id: WorkflowExecutionId) -> ApiFuture<WorkflowExecution> {
        self.play(id.to_string(), |state| &mut state.workflows)
    }

    fn list_workflow_step_executions(
        &self,
        id: WorkflowExecutionId,
        page: Page,
    ) -> ApiFuture<StepPage> {
        self.play(listed(id, page.token.as_deref()), |state| &mut state.lists)
    }

    discovers_nothing!();
}

/// How the log names a List.
fn listed(id: WorkflowExecutionId, token: Option<&str>) -> String {
    format!("list {id} from {}", token.unwrap_or("the beginning"))
}

/// The response to a call that no test expects.
pub fn unasked<T: Send + 'static>() -> ApiFuture<T> {
    Box::pin(async { panic!("nothing is discovered here") })
}
