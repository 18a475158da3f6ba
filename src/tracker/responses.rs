//! Calls out, responses in: the call that is due, and what a response means, one handler an operation.

use std::sync::Arc;

use tokio::time::Instant;

use super::changes::{Changes, Notice};
use super::discovery::AccountList;
use super::image::{Decision, ImageSource, Standing, image_key};
use super::machine::Tracker;
use super::ownership::{Ownership, Resource};
use super::pager::Pager;
use super::polling::Polling;
use super::queue::{DueCall, Slot, Urgency};
use super::step::ObservedBy;
use super::step_list::StepList;
use crate::api::{
    ApiError, Call, ErrorKind, ListPage, Operation, Page, Payload, Response, WorkflowPage,
};
use crate::clock::Now;
use crate::model::{Image, ImageArn, Pipeline, WorkflowExecutionId};

impl Tracker {
    /// Returns the response as a failed one where its page token repeats.
    pub fn checked(&self, response: Response) -> Response {
        match self.pager(&response.call) {
            Some(pager) => pager.checked(response),
            None => response,
        }
    }

    /// Takes in the response to a call of [`Self::next_call`], which arrived at `now`.
    pub fn handle(&mut self, response: Response, owners: &dyn Ownership, now: Now) -> Changes {
        let Response {
            call,
            page,
            asked,
            result,
        } = response;
        self.queue.end(&call);
        let failure = result.as_ref().err().map(|error| error.kind);
        if failure.is_none() {
            self.queue.allow(call.operation());
        }
        if call.is_list() && self.page_size.refused(&call, &page, failure) {
            // The same page again, smaller.
            let urgency = match call {
                Call::ListWorkflowStepExecutions(_) => Urgency::Running,
                _ => Urgency::Waiting,
            };
            match self.is_wanted(&call) {
                true => self.queue.put(call, Slot::new(now.instant, urgency)),
                false => self.page_size.forget(&call),
            }
            return std::mem::take(&mut self.changes);
        }
        match result {
            Ok(parsed) => self.handle_success(parsed.value, asked, owners, now),
            Err(error) => self.handle_failure(call, &error, page.token.is_some(), now),
        }
        self.handle_signals(now);
        self.evict(now);
        std::mem::take(&mut self.changes)
    }

    fn handle_success(
        &mut self,
        payload: Payload,
        asked: Instant,
        owners: &dyn Ownership,
        now: Now,
    ) {
        match payload {
            Payload::GetWorkflowStepExecution(id, step) => {
                let (workflows, mut context) = self.workflows(now);
                workflows.step_observed(id, *step, ObservedBy::Get, asked, &mut context);
            }
            Payload::ListWorkflowStepExecutions(id, page) => {
                let (workflows, mut context) = self.workflows(now);
                let c = &mut context;
                StepList { id, workflows, c }.read(page, asked);
            }
            Payload::GetWorkflowExecution(id, execution) => {
                self.forget_unknown(id);
                let (workflows, mut context) = self.workflows(now);
                workflows.execution_polled(id, &execution, asked, &mut context);
            }
            Payload::ListWorkflowExecutions(arn, page) => {
                self.executions_listed(&arn, page, asked, now);
            }
            Payload::GetImage(arn, image) => {
                self.forget_unknown(&arn);
                self.image_observed(&image, ImageSource::Get, owners, now);
                let discovers = self.discovery.images.wanted();
                let (images, _, mut context) = self.images(now);
                images.got(&arn, discovers, &mut context);
            }
            Payload::ListImageBuildVersions(_, page) => {
                self.images_listed(page, owners, now);
            }
            Payload::ListImagePipelines(_, page) => {
                self.pipelines_listed(page, owners, now);
            }
        }
    }

    fn handle_failure(&mut self, call: Call, error: &ApiError, half_read: bool, now: Now) {
        let kind = error.about_operation();
        match call {
            Call::GetWorkflowStepExecution(id) => {
                let (workflows, mut context) = self.workflows(now);
                workflows.step_failed(id, error, &mut context);
            }
            Call::ListWorkflowStepExecutions(id) => {
                let (workflows, mut context) = self.workflows(now);
                let c = &mut context;
                StepList { id, workflows, c }.failed(error);
            }
            Call::GetWorkflowExecution(id) => {
                let (workflows, mut context) = self.workflows(now);
                workflows.execution_failed(id, kind, &mut context);
                if kind == ErrorKind::Client && self.workflows.executions.is_named(id) {
                    self.named_unknown(id.to_string(), now);
                }
            }
            Call::ListWorkflowExecutions(arn) => self.executions_failed(&arn, kind, now),
            Call::GetImage(arn) => {
                let (images, _, mut context) = self.images(now);
                let denied = images.get_failed(&arn, kind, &mut context);
                let named = images.get(&arn).is_some_and(|image| image.named);
                if denied {
                    self.notice(Notice::Denied(Operation::GetImage));
                } else if named && kind == ErrorKind::Client {
                    self.named_unknown(arn.to_string(), now);
                }
            }
            Call::ListImageBuildVersions(_) => {
                self.account_list_failed(AccountList::Images, error, half_read, now);
            }
            Call::ListImagePipelines(_) => {
                self.account_list_failed(AccountList::Pipelines, error, half_read, now);
            }
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.changes.notices.push(notice);
    }

    /// Whether the subject of the call is still tracked.
    fn is_wanted(&self, call: &Call) -> bool {
        match call {
            Call::ListWorkflowStepExecutions(id) => self.workflows.executions.contains(*id),
            Call::ListWorkflowExecutions(arn) => self.images.is_tracked(arn),
            Call::ListImageBuildVersions(_) => self.discovery.images.wanted(),
            Call::ListImagePipelines(_) => self.discovery.pipelines.wanted(),
            _ => true,
        }
    }

    /// The service does not know a resource that the configuration names.
    fn named_unknown(&mut self, id: String, now: Now) {
        if !self.unknown.contains_key(&id) {
            Arc::make_mut(&mut self.unknown).insert(id.clone(), now.time);
            self.notice(Notice::NamedUnknown(id));
        }
    }

    /// The service knows the resource.
    fn forget_unknown(&mut self, id: impl ToString) {
        if !self.unknown.is_empty() {
            Arc::make_mut(&mut self.unknown).remove(&id.to_string());
        }
    }

    fn executions_listed(&mut self, arn: &ImageArn, page: WorkflowPage, asked: Instant, now: Now) {
        for (id, answer) in page.entries {
            if self.assignment.leaves_execution(&id) {
                self.images.leave_execution(arn);
                continue;
            }
            let Some(answer) = answer else { continue };
            if answer.status.is_terminal() {
                let ended = answer.end.unwrap_or(now.time);
                self.images.execution_ended(arn, ended);
            }
            let (workflows, mut context) = self.workflows(now);
            workflows.execution_found(id, arn, &answer, asked, &mut context);
        }
        let (images, _, mut context) = self.images(now);
        images.executions_read(arn, page.next, asked, &mut context);
        let executions = self.workflows.executions.of_image(arn).to_vec();
        self.list_released(&executions, now);
        self.expose_image(arn, now);
    }

    fn executions_failed(&mut self, arn: &ImageArn, kind: ErrorKind, now: Now) {
        let (images, _, mut context) = self.images(now);
        if images.executions_failed(arn, kind, &mut context) {
            self.notice(Notice::Denied(Operation::ListWorkflowExecutions));
        }
        self.expose_image(arn, now);
    }

    fn list_released(&mut self, executions: &[WorkflowExecutionId], now: Now) {
        let (workflows, mut context) = self.workflows(now);
        workflows
            .polling(&mut context)
            .list_released(executions, now.instant);
    }

    fn images_listed(&mut self, page: ListPage<Image>, owners: &dyn Ownership, now: Now) {
        for image in &page.entries {
            self.discovery.tally_image(image);
            self.image_observed(image, ImageSource::List, owners, now);
        }
        let list = AccountList::Images;
        if !self
            .discovery
            .page_read(list, page.next, &mut self.queue, now)
        {
            return;
        }
        let number = self.discovery.images.number();
        for arn in self
            .images
            .arns(|image| !image.named && image.pass < number)
        {
            let (images, _, mut context) = self.images(now);
            if images.remove(&arn, &mut context) {
                self.changes.released.push(Resource::Image(arn));
            }
        }
        let (images, _, mut context) = self.images(now);
        images.list_overdue_executions(&mut context);
        // After a reload some stay tracked until the pipelines tell whether they are selected.
        let selected = self
            .images
            .iter()
            .filter(|(_, image)| image.is_tracked() && self.discovery.selects(image) == Some(true));
        let names: Vec<_> = selected.map(|(arn, _)| image_key(arn)).collect();
        self.discovery.images_read(names);
        self.pass_ended(list, owners, now);
    }

    fn pipelines_listed(&mut self, page: ListPage<Pipeline>, owners: &dyn Ownership, now: Now) {
        for pipeline in page.entries {
            if self.discovery.tally_pipeline(&pipeline) {
                let released = &mut self.changes.released;
                self.pipelines
                    .observe(pipeline, &self.labels, owners, released);
            }
        }
        let list = AccountList::Pipelines;
        if !self
            .discovery
            .page_read(list, page.next, &mut self.queue, now)
        {
            return;
        }
        let selected = self.discovery.pipelines_read();
        self.pipelines.retain(&selected, &mut self.changes.released);
        let built = self.images.arns(|image| {
            let told = image.told.as_ref();
            !image.named && told.is_some_and(|image| image.pipeline.is_some())
        });
        for arn in built {
            let (images, discovery, mut context) = self.images(now);
            let decision = images.decide(&arn, discovery, &mut context);
            self.apply_decision(&arn, decision, owners, now);
        }
        self.pass_ended(list, owners, now);
    }

    fn pass_ended(&mut self, list: AccountList, owners: &dyn Ownership, now: Now) {
        self.notice(Notice::PassEnded(list.operation()));
        let matched = self
            .discovery
            .end_pass(list, &mut self.queue, self.pace, now);
        if let Some(available) = self.discovery.available() {
            let released = &mut self.changes.released;
            self.names
                .replace(available, &self.labels, owners, released);
        }
        for (kind, selector, matches) in matched {
            self.notice(Notice::SelectorMatched {
                kind,
                selector,
                matches,
            });
        }
    }

    fn account_list_failed(
        &mut self,
        list: AccountList,
        error: &ApiError,
        half_read: bool,
        now: Now,
    ) {
        // A token that expired is the service's way, and throttling is logged by itself.
        let expired = error.kind == ErrorKind::Client && half_read;
        if error.kind != ErrorKind::Throttled && !expired {
            self.notice(Notice::PassFailed(list.operation()));
        }
        let kind = error.about_operation();
        let (queue, pace) = (&mut self.queue, self.pace);
        self.discovery
            .page_failed(list, kind, queue, pace, now.instant);
    }

    fn image_observed(
        &mut self,
        image: &Image,
        source: ImageSource,
        owners: &dyn Ownership,
        now: Now,
    ) {
        if self.assignment.leaves_image(&image.arn) {
            return;
        }
        let (images, discovery, mut context) = self.images(now);
        let decision = images.observe(image, source, discovery, &mut context);
        self.apply_decision(&image.arn, decision, owners, now);
    }

    fn apply_decision(
        &mut self,
        arn: &ImageArn,
        decision: Decision,
        owners: &dyn Ownership,
        now: Now,
    ) {
        match decision {
            Decision::Track => self.claim_image(arn, owners, now),
            Decision::Untrack => {
                self.stop_image(arn, Standing::Unselected, now);
                self.changes.released.push(Resource::Image(arn.clone()));
            }
            Decision::Leave => {}
        }
    }

    /// The call whose turn it is, with the page to ask for; it is in flight until
    /// [`Self::handle`] is given its response.
    pub fn next_call(&mut self, now: Instant) -> Option<(DueCall, Page)> {
        loop {
            let due = self.queue.take(now)?;
            if let Call::ListWorkflowStepExecutions(id) = due.call {
                let mut polling = Polling {
                    steps: &mut self.workflows.steps,
                    executions: &mut self.workflows.executions,
                    queue: &mut self.queue,
                    pace: self.pace,
                };
                if !polling.may_list(id, now) {
                    polling.poll_one_by_one(id, due.due);
                    continue;
                }
            }
            // The lists of the account are tried on, as without them there is nothing.
            let denied = match due.call.operation() {
                operation @ (Operation::ListWorkflowExecutions | Operation::GetImage) => {
                    self.queue.denied(operation, now)
                }
                _ => None,
            };
            if let Some(until) = denied {
                let slot = Slot::new(until, due.urgency);
                self.queue.put(due.call, slot);
                continue;
            }
            let page = self.page(&due.call);
            self.queue.begin(due.call.clone());
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
        let executions = &self.workflows.executions;
        match call {
            Call::ListWorkflowStepExecutions(id) => {
                executions.schedule(*id).map(|one| &one.listing.pager)
            }
            Call::ListWorkflowExecutions(arn) => {
                self.images.get(arn).map(|image| &image.listing.pager)
            }
            Call::ListImageBuildVersions(_) => Some(self.discovery.images.pager()),
            Call::ListImagePipelines(_) => Some(self.discovery.pipelines.pager()),
            _ => None,
        }
    }
}
