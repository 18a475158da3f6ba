//! Responses to calls, through the SDK into the model.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, OnceLock};

use aws_credential_types::Credentials;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use imagebuilder_exporter::api::{
    Account, ApiError, Call, ErrorKind, PARSED_MEMBERS, Page, Parsed, Payload, ServiceClock,
};
use imagebuilder_exporter::aws::{Aws, AwsImageBuilder};
use imagebuilder_exporter::config::Config;
use imagebuilder_exporter::model::ImageArn;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const STATUSES: [u16; 8] = [200, 400, 401, 403, 404, 429, 500, 503];

const CONFIG: &str = "targets: [{name: a, regions: [us-west-2], pipelines: ['*']}]";

const IMAGE: &str = "arn:aws:imagebuilder:us-west-2:111122223333:image/golden-linux/1.0.0/1";
const STEP: &str = "step-62659a6f-428c-d70a-614a-0c74847e73ca";
const WORKFLOW: &str = "wf-a6852543-61d1-f57f-fc0e-5fd73e4b5d4c";

type Answer = Arc<Mutex<(u16, Bytes)>>;

/// A service that gives the same answer to everything, and a client of it.
struct Running {
    runtime: Runtime,
    answer: Answer,
    client: AwsImageBuilder,
}

fn running() -> &'static Mutex<Running> {
    static RUNNING: OnceLock<Mutex<Running>> = OnceLock::new();
    RUNNING.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime starts");
        let answer = Answer::default();
        let bound = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = bound.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        runtime.spawn(serve(listener, answer.clone()));
        let credentials = Credentials::new("id", "key", None, None, "fuzzing");
        let aws = Aws::simulated(format!("http://{address}"), credentials);
        let config = Config::read("file.yaml", CONFIG, &|_| None);
        let config = config.expect("a right configuration").config;
        let client = {
            let _entered = runtime.enter();
            let clock = ServiceClock::default();
            aws.client(&config.targets[0], "us-west-2", &config.polling, clock)
        };
        Mutex::new(Running {
            runtime,
            answer,
            client,
        })
    })
}

async fn serve(listener: TcpListener, answer: Answer) {
    while let Ok((stream, _)) = listener.accept().await {
        let answer = answer.clone();
        let service = service_fn(move |_: Request<_>| {
            let (status, body) = answer.lock().expect("nothing panics with it").clone();
            let response = Response::builder().status(status).body(Full::new(body));
            async { Ok::<_, Infallible>(response.expect("a right status")) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

fn call(selected: u8) -> Call {
    let image = ImageArn::parse(IMAGE).expect("a right ARN");
    let step = STEP.parse().expect("a right id");
    let workflow = WORKFLOW.parse().expect("a right id");
    match selected % 7 {
        0 => Call::GetWorkflowStepExecution(step),
        1 => Call::GetWorkflowExecution(workflow),
        2 => Call::ListWorkflowStepExecutions(workflow),
        3 => Call::ListWorkflowExecutions(image),
        4 => Call::ListImageBuildVersions(Account),
        5 => Call::ListImagePipelines(Account),
        _ => Call::GetImage(image),
    }
}

/// The first two bytes select the operation and the status, in that order, and the rest is the body.
/// A body is read or refused, within the bounds of texts, and only a success has content.
pub fn responses(bytes: &[u8]) {
    let [operation, status, body @ ..] = bytes else {
        return;
    };
    // The digits of seeds count from 0.
    let status = STATUSES[usize::from(status.wrapping_sub(b'0')) % STATUSES.len()];
    let call = call(operation.wrapping_sub(b'0'));
    let running = running().lock();
    let running = running.unwrap_or_else(|broken| broken.into_inner());
    *running.answer.lock().expect("nothing panics with it") =
        (status, Bytes::copy_from_slice(body));
    let page = Page {
        size: 25,
        token: None,
    };
    let read = running.runtime.block_on(call.send(&running.client, page));
    assert_told(status, read);
}

fn assert_told(status: u16, read: Result<Parsed<Payload>, ApiError>) {
    match read {
        Ok(parsed) => {
            assert_eq!(status, 200, "{parsed:?}");
            for member in &parsed.unparsable {
                assert!(PARSED_MEMBERS.contains(member), "{member}");
            }
        }
        Err(error) => {
            assert!(!error.message.is_empty());
            // Where it is cut, it says so.
            assert!(error.message.chars().count() < 2_100, "{error:?}");
            // It was sent and answered.
            let kinds = [
                ErrorKind::Timeout,
                ErrorKind::Network,
                ErrorKind::Credentials,
            ];
            assert!(!kinds.contains(&error.kind), "{error:?}");
        }
    }
}
