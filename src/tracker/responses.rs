//! Calls out, responses in: makes the call that is due, and applies its response, with one handler an operation.

use std::sync::Arc;

use tokio::time::Instant;

use super::account_list::AccountList;
use super::changes::{Changes, Notice};
use super::image::{Decision, ImageSource, ImageState, Tracking};
use super::machine::Tracker;
use super::ownership::{Ownership, Resource};
use super::pager::Pager;
use super::pipelines::ListedPipeline;
use super::queue::{DueCall, Slot, Urgency};
use super::step::{ObservedBy, Poll};
use super::step_list::StepList;
use super::workflows::Workflows;
use crate::api::{
    ApiError, Call, ErrorKind, ImagePage, ListPage, Operation, Page, Payload, Purpose, Response,
    WorkflowPage,
};
use crate::clock::Now;
use crate::model::{Image, ImageArn, Pipeline};
use crate::snapshot::ImageName;

impl Tracker {
    /// Returns the response as a failed one if it is a page of a list that exceeds the bounds of one.
    pub fn checked(&self, response: Response) -> Response {
        let pager = match response.purpose {
            Purpose::Polling => self.pager(&response.call),
            Purpose::History => self.history.pager(),
        };
        match pager {
            Some(pager) => pager.checked(response),
            None => response,
        }
    }

    /// Applies the response to a call of [`Self::next_call`], which arrived at `now`.
    pub fn handle(&mut self, response: Response, owners: &dyn Ownership, now: Now) -> Changes {
        self.c.now = now;
        let failure = response.result.as_ref().err().map(|error| error.kind);
        if failure == Some(ErrorKind::Throttled) {
            self.history.throttled(now.instant);
        }
        if response.purpose == Purpose::History {
            self.history_returned(response);
            return std::mem::take(&mut self.c.changes);
        }
        let Response {
            call,
            page,
            asked,
            result,
            ..
        } = response;
        self.c.queue.end(&call);
        if failure.is_none() {
            self.c.queue.allow(call.operation());
        }
        if call.is_list() && self.page_size.refused(&call, &page, failure) {
            // The same page again, smaller.
            let urgency = match call {
                Call::ListWorkflowStepExecutions(_) => Urgency::Running,
                _ => Urgency::Waiting,
            };
            match self.is_wanted(&call) {
                true => self.c.queue.put(call, Slot::new(now.instant, urgency)),
                false => self.page_size.forget(&call),
            }
            return std::mem::take(&mut self.c.changes);
        }
        match result {
            Ok(parsed) => {
                self.handle_success(parsed.value, asked, owners);
                self.c.call_succeeded(&call);
            }
            Err(error) => {
                self.handle_failure(call.clone(), &error, page.token.is_some());
                let kind = error.about_operation();
                self.c.call_failed(&call, kind, asked);
            }
        }
        self.handle_signals();
        self.evict();
        self.review_failures(&call);
        std::mem::take(&mut self.c.changes)
    }

    /// Applies a response that the baselines alone need.
    fn history_returned(&mut self, response: Response) {
        let Self {
            history,
            workflows,
            c,
            ..
        } = self;
        match response.result.map(|parsed| parsed.value) {
            Ok(Payload::ListWorkflowExecutions(build, page)) => {
                let is_tracked = |id| workflows.executions.tracks_all_steps(id);
                let feeds_itself = |id| c.assignment.leaves_execution(&id) || is_tracked(id);
                history.executions_read(build, page, feeds_itself, c);
            }
            Ok(Payload::ListWorkflowStepExecutions(id, page)) => history.steps_read(id, page, c),
            Ok(other) => unreachable!("{other:?} is no history"),
            Err(error) => history.failed(&response.call, &error, c),
        }
    }

    fn handle_success(&mut self, payload: Payload, asked: Instant, owners: &dyn Ownership) {
        let (workflows, c) = (&mut self.workflows, &mut self.c);
        match payload {
            Payload::GetWorkflowStepExecution(id, step) => {
                let poll = Poll::new(ObservedBy::Get, asked, &mut c.jitter);
                workflows.step_observed(id, *step, poll, c);
            }
            Payload::ListWorkflowStepExecutions(id, page) => {
                StepList { id, workflows, c }.read(page, asked);
            }
            Payload::GetWorkflowExecution(id, execution) => {
                workflows.execution_polled(id, &execution, asked, c);
                self.forget_unknown(id);
            }
            Payload::ListWorkflowExecutions(arn, page) => {
                self.executions_listed(&arn, page, asked);
            }
            Payload::GetImage(arn, image) => {
                self.forget_unknown(&arn);
                self.image_observed(&image, ImageSource::Get, owners);
                let discovers = self.discovery.images.wanted;
                self.workflows.images.got(&arn, discovers, &mut self.c);
            }
            Payload::ListImageBuildVersions(_, page) => self.images_listed(page, owners),
            Payload::ListImagePipelines(_, page) => self.pipelines_listed(page, owners),
        }
    }

    fn handle_failure(&mut self, call: Call, error: &ApiError, half_read: bool) {
        let kind = error.about_operation();
        // The failure of a list of the account has its own notice.
        if error.endless && call.subject().is_some() {
            self.c.notice(Notice::ListEndless(call.operation()));
        }
        let (workflows, c) = (&mut self.workflows, &mut self.c);
        match call {
            Call::GetWorkflowStepExecution(id) => workflows.step_failed(id, error, c),
            Call::ListWorkflowStepExecutions(id) => StepList { id, workflows, c }.failed(error),
            Call::GetWorkflowExecution(id) => {
                workflows.execution_failed(id, kind, c);
                if kind == ErrorKind::Client && workflows.executions.is_named(id) {
                    self.named_unknown(id.to_string());
                }
            }
            Call::ListWorkflowExecutions(arn) => {
                let executions = &workflows.executions;
                workflows
                    .images
                    .executions_failed(&arn, kind, executions, c);
                workflows.images.expose(&arn, c);
            }
            Call::GetImage(arn) => {
                workflows.images.get_failed(&arn, kind, c);
                let named = workflows.images.get(&arn).is_some_and(|image| image.named);
                if named && kind == ErrorKind::Client {
                    self.named_unknown(arn.to_string());
                }
            }
            Call::ListImageBuildVersions(_) => {
                self.account_list_failed(AccountList::Images, error, half_read);
            }
            Call::ListImagePipelines(_) => {
                self.account_list_failed(AccountList::Pipelines, error, half_read);
            }
        }
    }

    /// Whether the subject of the call is still tracked.
    fn is_wanted(&self, call: &Call) -> bool {
        match call {
            Call::ListWorkflowStepExecutions(id) => self.workflows.executions.contains(*id),
            Call::ListWorkflowExecutions(arn) => self.workflows.images.is_tracked(arn),
            Call::ListImageBuildVersions(_) => self.discovery.images.wanted,
            Call::ListImagePipelines(_) => self.discovery.pipelines.wanted,
            _ => true,
        }
    }

    /// The service does not know a resource that the configuration names.
    fn named_unknown(&mut self, id: String) {
        if !self.unknown.contains_key(&id) {
            Arc::make_mut(&mut self.unknown).insert(id.clone(), self.c.now.time);
            self.c.notice(Notice::NamedUnknown(id));
        }
    }

    /// The service knows the resource.
    fn forget_unknown(&mut self, id: impl ToString) {
        if !self.unknown.is_empty() {
            Arc::make_mut(&mut self.unknown).remove(&id.to_string());
        }
    }

    fn executions_listed(&mut self, arn: &ImageArn, page: WorkflowPage, asked: Instant) {
        let (workflows, c) = (&mut self.workflows, &mut self.c);
        let read = (page.entries.len(), page.next);
        for (id, execution) in page.entries {
            if c.assignment.leaves_execution(&id) {
                workflows.images.leave_execution(arn);
                continue;
            }
            let Some(execution) = execution else { continue };
            if execution.status.is_terminal() {
                let ended = workflows.executions.end_of(id, &execution, c.now);
                workflows.images.execution_ended(arn, ended);
            }
            workflows.execution_found(id, arn, &execution, asked, c);
        }
        let executions = &workflows.executions;
        workflows
            .images
            .executions_read(arn, read, asked, executions, c);
        workflows.polling(c).list_released(arn);
        workflows.images.expose(arn, c);
    }

    fn images_listed(&mut self, page: ImagePage, owners: &dyn Ownership) {
        let history = self.c.assignment.baselines.builds();
        let number = self.discovery.images.number;
        for (arn, image) in &page.entries {
            match image {
                Some(image) => {
                    self.discovery.tally_image(image, history);
                    self.image_observed(image, ImageSource::List, owners);
                }
                None => match self.workflows.images.listed_unparsed(arn, number) {
                    Some(known) => self.discovery.tally_image(known, history),
                    None => self.discovery.tally_unparsed(arn, history),
                },
            }
        }
        let (list, count) = (AccountList::Images, page.entries.len());
        let discovery = &mut self.discovery;
        if !discovery.page_read(list, count, page.next, &mut self.c) {
            return;
        }
        let (workflows, c) = (&mut self.workflows, &mut self.c);
        workflows.images.remove_unlisted(number, c);
        workflows
            .images
            .list_overdue_executions(&workflows.executions, c);
        // After a reload some stay tracked until the list of pipelines shows whether they are selected.
        let selected = workflows.images.iter();
        let selected = selected
            .filter(|(_, image)| image.is_tracked() && self.discovery.selects(image) == Some(true));
        let names: Vec<_> = selected.map(|(arn, _)| ImageName::of(arn)).collect();
        self.discovery.images_read(names);
        self.pass_ended(list, owners);
    }

    fn pipelines_listed(&mut self, page: ListPage<Pipeline>, owners: &dyn Ownership) {
        let count = page.entries.len();
        for pipeline in page.entries {
            if self.discovery.tally_pipeline(&pipeline) {
                let at = self.c.now.time;
                let listed = ListedPipeline { pipeline, at };
                self.pipelines.listed(listed, owners, &mut self.c);
            }
        }
        let list = AccountList::Pipelines;
        if !self
            .discovery
            .page_read(list, count, page.next, &mut self.c)
        {
            return;
        }
        let selected = self.discovery.pipelines_read();
        let kept = |arn: &_| selected.get(arn) == Some(&true);
        self.pipelines.release(kept, &mut self.c);
        let built = |image: &ImageState| {
            let pipeline = image
                .observed
                .as_ref()
                .and_then(|image| image.pipeline.as_ref());
            !image.named && pipeline.is_some()
        };
        for arn in self.workflows.images.arns(built) {
            let images = &mut self.workflows.images;
            let decision = images.decide(&arn, &self.discovery, &mut self.c);
            self.apply_decision(&arn, decision, owners);
        }
        self.pass_ended(list, owners);
    }

    fn pass_ended(&mut self, list: AccountList, owners: &dyn Ownership) {
        self.discovery.end_pass(list, &mut self.c);
        if let Some(available) = self.discovery.available() {
            self.names.replace(available, owners, &mut self.c);
            self.choose_history();
        }
        self.failures().review_all();
    }

    fn account_list_failed(&mut self, list: AccountList, error: &ApiError, half_read: bool) {
        // The service lets tokens expire, and throttling is logged by itself.
        let expired = error.kind == ErrorKind::Client && half_read;
        if error.kind != ErrorKind::Throttled && !expired {
            self.c.notice(Notice::PassFailed(list.operation()));
        }
        let kind = error.about_operation();
        self.discovery.page_failed(list, kind, &mut self.c);
    }

    fn image_observed(&mut self, image: &Image, source: ImageSource, owners: &dyn Ownership) {
        if self.c.assignment.leaves_image(&image.arn) {
            return;
        }
        let images = &mut self.workflows.images;
        let decision = images.observe(image, source, &self.discovery, &mut self.c);
        self.apply_decision(&image.arn, decision, owners);
    }

    fn apply_decision(&mut self, arn: &ImageArn, decision: Decision, owners: &dyn Ownership) {
        match decision {
            Decision::Track => self.claim_image(arn, owners),
            Decision::Untrack => {
                self.stop_image(arn, Tracking::Unselected);
                self.c.changes.released.push(Resource::Image(arn.clone()));
            }
            Decision::Leave => {}
        }
    }

    /// Returns the call whose turn it is, with the page to request. The call is in flight until
    /// [`Self::handle`] is given its response.
    pub fn next_call(&mut self, now: Now) -> Option<(DueCall, Page)> {
        self.c.now = now;
        self.next_poll(now).or_else(|| {
            let (call, page, due) = self.history.take(&self.c)?;
            let due = DueCall {
                call,
                due,
                urgency: Urgency::Discovery,
                purpose: Purpose::History,
            };
            Some((due, page))
        })
    }

    fn next_poll(&mut self, now: Now) -> Option<(DueCall, Page)> {
        loop {
            let due = self.c.queue.take(now.instant)?;
            if let Call::ListWorkflowStepExecutions(id) = due.call {
                let mut polling = self.workflows.polling(&mut self.c);
                if !polling.may_list(id, now.instant) {
                    polling.poll_one_by_one(id, due.due);
                    continue;
                }
            }
            // The lists of the account are called on, as without them nothing is found.
            let denied = match due.call.operation() {
                operation @ (Operation::ListWorkflowExecutions | Operation::GetImage) => {
                    self.c.queue.denied(operation, now.instant)
                }
                _ => None,
            };
            if let Some(until) = denied {
                let slot = Slot::new(until, due.urgency);
                self.c.queue.put(due.call, slot);
                continue;
            }
            let page = self.page(&due.call);
            self.c.queue.begin(due.call.clone());
            return Some((due, page));
        }
    }

    fn page(&self, call: &Call) -> Page {
        let size = self.page_size.get();
        let first = || Page { size, token: None };
        self.pager(call)
            .map_or_else(first, |pager| pager.page(size))
    }

    fn pager(&self, call: &Call) -> Option<&Pager> {
        let Workflows {
            executions, images, ..
        } = &self.workflows;
        match call {
            Call::ListWorkflowStepExecutions(id) => {
                executions.schedule(*id).map(|one| &one.listing.pager)
            }
            Call::ListWorkflowExecutions(arn) => images.get(arn).map(|image| &image.listing.pager),
            Call::ListImageBuildVersions(_) => Some(&self.discovery.images.pager),
            Call::ListImagePipelines(_) => Some(&self.discovery.pipelines.pager),
            _ => None,
        }
    }
}
