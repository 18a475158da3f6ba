//! Properties of the plan that no script of calls may break.

use proptest::prelude::*;

use super::*;
use crate::config::Config;
use crate::labels::LabelText;
use crate::model::{
    Image, ImageStatus, Pipeline, PipelineArn, StepExecution, StepStatus, WorkflowExecution,
    WorkflowStatus,
};
use crate::schedule::selection::Selection;
use crate::store::StepRecord;

const INTERVAL: Duration = Duration::from_secs(30);

/// What happens next to a plan.
#[derive(Clone, Debug)]
enum Event {
    /// So many milliseconds pass.
    Pass(u64),
    /// The call that has been due longest begins.
    Begin,
    /// The call that has been under way longest ends, so.
    End(End),
    /// A reload follows the steps whose bit is set.
    Follow(u8),
    /// A reload names the workflow executions and images whose bit is set, and keeps things longer
    /// or not.
    Name(u8, u8, bool),
    /// Another target wants an image, or a moment comes at which things leave.
    Lose(usize),
    Leave,
}

#[derive(Clone, Debug)]
enum End {
    Ok {
        status: &'static str,
        rollback: Option<&'static str>,
        workflow_status: &'static str,
        image_status: &'static str,
    },
    Failed(ErrorKind),
}

fn event() -> impl Strategy<Value = Event> {
    let status = prop::sample::select(vec!["PENDING", "RUNNING", "COMPLETED", "FAILED", "NEW"]);
    let rollback = prop::option::weighted(0.3, prop::sample::select(vec!["RUNNING", "COMPLETED"]));
    let image_status = prop::sample::select(vec!["BUILDING", "FAILED", "AVAILABLE"]);
    let workflow_status = prop::sample::select(vec![
        "PENDING",
        "RUNNING",
        "ROLLBACK_IN_PROGRESS",
        "COMPLETED",
        "FAILED",
        "NEW",
    ]);
    let ok = (status, rollback, workflow_status, image_status).prop_map(
        |(status, rollback, workflow_status, image_status)| End::Ok {
            status,
            rollback,
            workflow_status,
            image_status,
        },
    );
    let failed = prop::sample::select(ErrorKind::ALL.to_vec()).prop_map(End::Failed);
    let end = prop_oneof![3 => ok, 1 => failed].prop_map(Event::End);
    prop_oneof![
        2 => (0..600_000u64).prop_map(Event::Pass),
        4 => Just(Event::Begin),
        4 => end,
        1 => any::<u8>().prop_map(Event::Follow),
    ]
}

/// What happens where workflow executions and images are named too.
fn discovering() -> impl Strategy<Value = Event> {
    let named = (0..16u8, 0..4u8, any::<bool>());
    prop_oneof![
        20 => event(),
        1 => named.prop_map(|(workflows, images, longer)| Event::Name(workflows, images, longer)),
        1 => (0..2usize).prop_map(Event::Lose),
        2 => Just(Event::Leave),
    ]
}

fn step_id(number: usize) -> StepExecutionId {
    let text = format!("step-aaaaaaaa-0000-0000-0000-00000000000{number}");
    text.parse().expect("it is one")
}

/// Two steps a workflow execution.
fn workflow_id(step: &StepExecutionId) -> WorkflowExecutionId {
    let number = step.uuid().as_bytes()[35] - b'0';
    let text = format!("wf-bbbbbbbb-0000-0000-0000-00000000000{}", number / 2);
    text.parse().expect("it is one")
}

/// Two workflow executions an image.
fn image_arn(number: usize) -> ImageArn {
    let arn = format!("arn:aws:imagebuilder:us-west-2:111122223333:image/golden/1.0.0/{number}");
    ImageArn::parse(&arn).expect("it is one")
}

fn workflows_of(image: &ImageArn) -> Vec<WorkflowExecutionId> {
    let first = usize::from(image.as_str().ends_with("/1")) * 4;
    vec![
        workflow_id(&step_id(first)),
        workflow_id(&step_id(first + 2)),
    ]
}

fn pace(longer: bool) -> Pace {
    Pace {
        interval: INTERVAL,
        discovery_interval: INTERVAL * 4,
        retention: if longer { HOUR * 3 } else { HOUR / 4 },
        retention_failed: HOUR * 24,
    }
}

fn steps(bits: u8) -> impl Iterator<Item = (StepExecutionId, Duration)> {
    let set = (0..8).filter(move |number| bits & (1 << number) != 0);
    set.map(|number| (step_id(number), INTERVAL))
}

fn observation(id: StepExecutionId, status: &str, rollback: Option<&str>) -> Observation {
    let answer = StepExecution {
        workflow_execution_id: Some(workflow_id(&id)),
        rollback_status: rollback.map(RollbackStatus::parse),
        ..StepExecution::with_status(StepStatus::parse(status))
    };
    let unseen = StepRecord::unseen(id, LabelText::new([]));
    let record = unseen.answered(answer, "us-west-2", Timestamp::from_millis(0));
    record.observed.expect("it was just answered")
}

fn image(arn: &ImageArn, status: &str, now: Now) -> Image {
    Image {
        created: Some(now.time),
        ..Image::with_status(arn.clone(), ImageStatus::parse(status))
    }
}

/// Plays events and keeps to what the poller keeps to.
struct Play {
    plan: Plan,
    now: Now,
    under_way: Vec<(Call, Instant)>,
    /// Whether anything was named.
    names: bool,
}

impl Play {
    fn event(&mut self, event: Event) -> Result<(), TestCaseError> {
        match event {
            Event::Pass(millis) => self.now = self.now.plus(Duration::from_millis(millis)),
            Event::Begin => {
                if let Some(due) = self.plan.take_due(self.now.instant) {
                    let twice = self.under_way.iter().any(|(call, _)| *call == due.call);
                    prop_assert!(!twice, "{:?} twice at once", due.call);
                    self.under_way.push((due.call, self.now.instant));
                }
            }
            Event::End(end) if !self.under_way.is_empty() => {
                let (call, asked) = self.under_way.remove(0);
                self.plan.ended(&call);
                match call {
                    Call::Step(id) => self.step_ends(id, asked, end)?,
                    Call::Steps(id) => self.list_ends(id, asked, end),
                    Call::Workflow(id) => self.workflow_ends(id, asked, end),
                    Call::Workflows(arn) => self.workflows_end(&arn, asked, end),
                    Call::Image(arn) => self.image_ends(&arn, end),
                    other => panic!("{other:?}, and nothing is selected"),
                }
            }
            Event::End(_) => {}
            Event::Follow(bits) => self.plan.follow(steps(bits), INTERVAL, self.now),
            Event::Name(workflows, images, longer) => {
                self.names = true;
                let set = |bits: u8, at: usize| bits & (1 << at) != 0;
                let ids = (0..4).filter(|at| set(workflows, *at));
                let ids: Vec<_> = ids.map(|at| workflow_id(&step_id(2 * at))).collect();
                let arns = (0..2).filter(|at| set(images, *at)).map(image_arn);
                let arns: Vec<_> = arns.collect();
                self.plan.name_workflows(&ids, self.now);
                self.plan.name_images(&arns, self.now);
                self.plan
                    .select(Selection::default(), pace(longer), self.now);
            }
            Event::Lose(image) => {
                let arn = image_arn(image);
                let followed = self.plan.followed_images().any(|followed| *followed == arn);
                if followed {
                    self.plan.image_is_foreign(&arn, self.now.instant);
                }
            }
            Event::Leave => {
                self.plan.leave(self.now);
            }
        }
        self.check()
    }

    fn step_ends(
        &mut self,
        id: StepExecutionId,
        asked: Instant,
        end: End,
    ) -> Result<(), TestCaseError> {
        if !self.plan.steps.contains_key(&id) {
            return Ok(());
        }
        let only_completes = self.plan.get_only_completes(&id, self.now.instant);
        match end {
            End::Failed(kind) if only_completes => {
                self.plan.get_failed(id, kind, self.now.instant);
            }
            End::Ok {
                status, rollback, ..
            } => {
                let observed = observation(id, status, rollback);
                let phase = self
                    .plan
                    .step_answered(id, &observed, SeenBy::Get, asked, self.now);
                if phase == Some(Phase::Settled) {
                    return Ok(());
                }
                let slowly = observed.status.is_terminal();
                let bound = if slowly {
                    INTERVAL * SLOWLY_ALONE
                } else {
                    INTERVAL
                };
                let latest = (asked + bound).max(self.now.instant);
                let due = self.due(id);
                let behind = self.plan.waits_behind_another(workflow_id(&id));
                prop_assert!(
                    behind || due.is_none_or(|due| due <= latest),
                    "{id} is due at {due:?}"
                );
            }
            End::Failed(kind) => {
                self.plan.step_failed(id, kind, self.now.instant);
            }
        }
        Ok(())
    }

    /// The List tells of the first step of two, or of both.
    fn list_ends(&mut self, id: WorkflowExecutionId, asked: Instant, end: End) {
        let (status, rollback, next) = match end {
            End::Ok {
                status,
                rollback,
                workflow_status,
                ..
            } => (
                status,
                rollback,
                (workflow_status == "NEW").then(|| "token".to_owned()),
            ),
            End::Failed(kind) => {
                self.plan.list_failed(id, kind, self.now);
                return;
            }
        };
        let of_it = |step: &StepExecutionId| workflow_id(step) == id;
        let listed: Vec<_> = (0..8).map(step_id).filter(of_it).collect();
        let mut told = Vec::new();
        for step in listed.into_iter().take(if status == "NEW" { 1 } else { 2 }) {
            told.push(step);
            self.plan.step_found(step, id);
            if !self.plan.refreshes(id, &step) {
                continue;
            }
            if status == "PENDING" && rollback.is_some() {
                self.plan.step_untold(step, self.now.instant);
            } else {
                let observed = observation(step, status, rollback);
                let by = SeenBy::List;
                self.plan
                    .step_answered(step, &observed, by, asked, self.now);
            }
        }
        self.plan.page_read(id, told, next, asked, self.now.instant);
    }

    /// When a step is to be looked at, by itself or with its siblings; `None` while it is.
    fn due(&self, id: StepExecutionId) -> Option<Instant> {
        let calls = [Call::Step(id), Call::Steps(workflow_id(&id))];
        calls
            .iter()
            .filter_map(|call| self.plan.queue.due(call))
            .min()
    }

    fn workflow_ends(&mut self, id: WorkflowExecutionId, asked: Instant, end: End) {
        match end {
            End::Ok {
                workflow_status, ..
            } => {
                let answer = WorkflowExecution::with_status(WorkflowStatus::parse(workflow_status));
                self.plan.workflow_answered(id, &answer, asked, self.now);
            }
            End::Failed(kind) => {
                self.plan.workflow_failed(id, kind, self.now.instant);
            }
        }
    }

    /// The list of an image's executions tells of both.
    fn workflows_end(&mut self, arn: &ImageArn, asked: Instant, end: End) {
        match end {
            End::Ok {
                workflow_status, ..
            } => {
                let answer = WorkflowExecution::with_status(WorkflowStatus::parse(workflow_status));
                for (at, id) in workflows_of(arn).into_iter().enumerate() {
                    let waits = WorkflowExecution::with_status(WorkflowStatus::Pending);
                    let told = if at == 0 { &answer } else { &waits };
                    self.plan.workflow_found(id, arn, told, asked, self.now);
                }
                self.plan.workflows_read(arn, None, asked, self.now.instant);
            }
            End::Failed(kind) => {
                self.plan.workflows_failed(arn, kind, self.now.instant);
            }
        }
    }

    fn image_ends(&mut self, arn: &ImageArn, end: End) {
        match end {
            End::Ok { image_status, .. } => {
                let image = image(arn, image_status, self.now);
                let news = self.plan.image_told(&image, ImageSource::Get, self.now);
                match news {
                    ImageNews::Wanted => self.plan.image_claimed(arn, self.now.instant),
                    ImageNews::NoLongerWanted => {
                        self.plan.unwanted(arn, self.now.instant);
                    }
                    ImageNews::NotWanted => {}
                }
                self.plan.image_answered(arn, self.now.instant);
            }
            End::Failed(kind) => {
                self.plan.image_failed(arn, kind, self.now.instant);
            }
        }
    }

    /// What is followed as a whole waits, is under way, or waits behind another; what leaves is
    /// known, and nothing of what has left is kept.
    fn check_wholes(&self, under_way: &HashSet<Call>) -> Result<(), TestCaseError> {
        let plan = &self.plan;
        let asked = |call: &Call| plan.queue.is_waiting(call) || under_way.contains(call);
        for call in plan.queue.calls() {
            prop_assert!(!under_way.contains(call), "{call:?} waits and is under way");
        }
        for (id, workflow) in &plan.workflows {
            let Some(whole) = &workflow.whole else {
                continue;
            };
            let image = whole.image.as_ref().and_then(|arn| plan.images.get(arn));
            let image_asked = whole
                .image
                .as_ref()
                .is_some_and(|arn| asked(&Call::Workflows(arn.clone())));
            let single = workflow
                .followed
                .iter()
                .any(|step| asked(&Call::Step(*step)));
            let carried = asked(&Call::Steps(*id)) || asked(&Call::Workflow(*id));
            let behind = plan.waits_behind_another(*id);
            let leaves = whole.leaves.is_some();
            prop_assert!(
                carried || single || image_asked || behind || leaves,
                "{id} is forgotten: {workflow:?}"
            );
            if let Some(image) = image {
                prop_assert!(image.workflows.contains(id), "{id} is not its image's");
            }
            for step in &whole.steps {
                prop_assert!(
                    plan.steps.contains_key(step),
                    "{step} of {id} is not followed"
                );
            }
        }
        for (arn, image) in &plan.images {
            for id in &image.workflows {
                prop_assert!(plan.is_whole(*id), "{id} of {arn:?} is not followed");
            }
        }
        for (at, leaver) in &plan.leaving {
            let known = match leaver {
                Leaver::Workflow(id) => {
                    let whole = plan.workflows.get(id).and_then(|one| one.whole.as_ref());
                    whole.and_then(|whole| whole.leaves)
                }
                Leaver::Image(arn) => plan.images.get(arn).and_then(|image| image.leaves),
            };
            prop_assert_eq!(known, Some(*at), "{:?}", leaver);
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let under_way: HashSet<Call> = self
            .under_way
            .iter()
            .map(|(call, _)| call.clone())
            .collect();
        prop_assert_eq!(&self.plan.in_flight, &under_way);
        for (id, step) in &self.plan.steps {
            let alone = Call::Step(*id);
            let waits = self.plan.queue.due(&alone).is_some();
            let flies = under_way.contains(&alone);
            let list = Call::Steps(workflow_id(id));
            let carried = step.workflow.is_some_and(|wf| self.plan.refreshes(wf, id))
                && (self.plan.queue.due(&list).is_some() || under_way.contains(&list));
            prop_assert!(!(waits && flies), "{id} waits and is under way");
            let completes = self.plan.wants_get(id);
            let whole = step
                .workflow
                .and_then(|id| self.plan.workflows.get(&id)?.whole.as_ref());
            // A step that the lists leave untold leaves with its execution.
            let gone =
                whole.is_some_and(|whole| step.phase == Phase::Gone || whole.leaves.is_some());
            let behind = step
                .workflow
                .is_some_and(|id| self.plan.waits_behind_another(id));
            if step.phase == Phase::Settled {
                // A Get that still lacks goes on, also where the whole has left.
                let asked = (waits || flies && !self.names) && !completes && step.full;
                prop_assert!(!asked, "{id} is settled and asked for");
            } else if !gone && !behind {
                prop_assert!(waits || flies || carried, "{id} is forgotten: {step:?}");
            }
        }
        self.check_wholes(&under_way)?;
        for (id, workflow) in &self.plan.workflows {
            if workflow.whole.is_some() {
                continue;
            }
            prop_assert!(!workflow.followed.is_empty(), "{id} is followed for nobody");
            let call = Call::Workflow(*id);
            let waits = self.plan.queue.due(&call).is_some();
            let flies = under_way.contains(&call);
            let wanted = workflow.end.is_none();
            // A look for its name's sake may still be under way, or repeated after it failed.
            prop_assert!(
                (waits || flies) == wanted || (self.names && !wanted),
                "{id}: waits {waits}, under way {flies}"
            );
            prop_assert!(!(waits && flies), "{id} waits and is under way");
        }
        let unattempted = self.plan.steps.values().filter(|step| !step.attempted);
        prop_assert_eq!(self.plan.unattempted, unattempted.count());
        for call in self.plan.queue.calls() {
            let followed = match call {
                Call::Step(id) => self.plan.steps.contains_key(id),
                Call::Steps(id) | Call::Workflow(id) => self.plan.workflows.contains_key(id),
                Call::Workflows(arn) | Call::Image(arn) => self.plan.images.contains_key(arn),
                other => panic!("{other:?}, and nothing is selected"),
            };
            prop_assert!(followed, "{call:?} waits and is not followed");
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "some instant to count from")]
fn start() -> Now {
    Now {
        instant: Instant::now(),
        time: Timestamp::from_millis(1_788_981_143_000),
    }
}

fn play(seed: u64, events: Vec<Event>) -> Result<(), TestCaseError> {
    let mut play = Play {
        plan: Plan::new(seed, pace(true)),
        now: start(),
        under_way: Vec::new(),
        names: false,
    };
    for event in events {
        play.event(event)?;
    }
    Ok(())
}

#[test]
fn unlisted_step_that_no_list_has_told_of_leaves_with_its_execution() {
    let (now, step) = (start(), step_id(0));
    let mut plan = Plan::new(1, pace(true));
    plan.follow([(step, INTERVAL)], INTERVAL, now);
    plan.name_workflows(&[workflow_id(&step)], now);
    let seen = observation(step, "RUNNING", None);
    plan.step_answered(step, &seen, SeenBy::Get, now.instant, now);
    plan.follow([], INTERVAL, now);
    assert!(plan.follows(&step));
    let left = plan.name_workflows(&[], now);
    assert_eq!(left.steps, [step]);
    assert!(!plan.follows(&step));
}

#[test]
fn execution_that_goes_on_is_listed_again_also_where_its_list_was_broken_off() {
    let (now, step) = (start(), step_id(0));
    let workflow = workflow_id(&step);
    let told = |status: &str| WorkflowExecution::with_status(WorkflowStatus::parse(status));
    let mut plan = Plan::new(1, pace(true));
    plan.name_workflows(&[workflow], now);
    plan.workflow_answered(workflow, &told("COMPLETED"), now.instant, now);
    let now = now.plus(INTERVAL);
    plan.step_found(step, workflow);
    let seen = observation(step, "RUNNING", None);
    plan.step_answered(step, &seen, SeenBy::List, now.instant, now);
    plan.page_read(workflow, [step], None, now.instant, now.instant);
    let now = now.plus(INTERVAL);
    let next = Some("token".to_owned());
    plan.page_read(workflow, [], next, now.instant, now.instant);
    let seen = observation(step, "COMPLETED", None);
    let phase = plan.step_answered(step, &seen, SeenBy::Get, now.instant, now);
    assert_eq!(phase, Some(Phase::Settled));
    let now = now.plus(INTERVAL);
    plan.workflow_answered(workflow, &told("RUNNING"), now.instant, now);
    assert!(plan.queue.is_waiting(&Call::Steps(workflow)));
}

#[test]
fn listed_step_that_no_list_has_told_of_is_asked_for_when_its_execution_is_dropped() {
    let (now, arn) = (start(), image_arn(0));
    let [first, second] = [step_id(0), step_id(2)];
    let told = |status: &str| WorkflowExecution::with_status(WorkflowStatus::parse(status));
    let mut plan = Plan::new(1, pace(true));
    plan.name_images(std::slice::from_ref(&arn), now);
    plan.image_told(&image(&arn, "BUILDING", now), ImageSource::Get, now);
    plan.image_claimed(&arn, now.instant);
    let waiting = workflow_id(&second);
    for (workflow, status) in [(workflow_id(&first), "RUNNING"), (waiting, "PENDING")] {
        assert!(plan.workflow_found(workflow, &arn, &told(status), now.instant, now));
    }
    while let Some(due) = plan.take_due(now.plus(INTERVAL).instant) {
        plan.ended(&due.call);
    }
    plan.page_read(waiting, [], None, now.instant, now.instant);
    plan.follow([(second, INTERVAL)], INTERVAL, now);
    while let Some(due) = plan.take_due(now.plus(INTERVAL).instant) {
        plan.ended(&due.call);
    }
    let seen = observation(second, "PENDING", None);
    plan.step_answered(second, &seen, SeenBy::Get, now.instant, now);
    assert!(plan.waits_behind_another(waiting));
    plan.image_is_foreign(&arn, now.instant);
    assert!(plan.queue.is_waiting(&Call::Step(second)));
}

fn pipeline_arn() -> PipelineArn {
    let arn = "arn:aws:imagebuilder:us-west-2:111122223333:image-pipeline/nightly";
    PipelineArn::parse(arn).expect("it is one")
}

/// A pipeline without tags.
fn pipeline() -> Pipeline {
    Pipeline {
        recipe: Some("golden".to_owned()),
        ..Pipeline::with_arn(pipeline_arn())
    }
}

/// A plan that follows every image, and so this one.
fn following(image: &Image, pace: Pace, now: Now) -> Plan {
    let mut plan = Plan::new(1, pace);
    plan.select(selection("images: ['*']"), pace, now);
    let news = plan.image_told(image, ImageSource::Get, now);
    assert_eq!(news, ImageNews::Wanted);
    plan.image_claimed(&image.arn, now.instant);
    plan
}

/// An image of the pipeline that did well.
fn built(arn: &ImageArn, now: Now) -> Image {
    Image {
        pipeline: Some(pipeline_arn()),
        ..image(arn, "AVAILABLE", now)
    }
}

fn selection(lists: &str) -> Selection {
    let yaml = format!("targets: [{{name: t, regions: [us-west-2], {lists}}}]");
    let read = Config::read("test.yaml", &yaml, &|_| None).expect("it is right");
    Selection::new(&read.config.targets[0], "us-west-2")
}

#[test]
fn image_of_a_pipeline_that_is_no_longer_selected_matters_no_more() {
    let (now, pace) = (start(), pace(true));
    let built = image(&image_arn(0), "AVAILABLE", now);
    let matter = |plan: &mut Plan| {
        plan.tally_image(&built);
        let read = plan.round_read(Lists::Images, None, now);
        read.available.expect("the list was read to its end").len()
    };
    let mut plan = Plan::new(1, pace);
    plan.select(selection("pipelines: [nightly]"), pace, now);
    plan.tally_pipeline(&pipeline());
    plan.round_read(Lists::Pipelines, None, now);
    assert_eq!(matter(&mut plan), 1);
    plan.select(selection("images: [other]"), pace, now);
    assert_eq!(matter(&mut plan), 0);
}

#[test]
fn name_matters_not_for_an_image_of_which_only_the_pipelines_will_tell() {
    let (now, pace, arn) = (start(), pace(true), image_arn(0));
    let built = built(&arn, now);
    let mut plan = following(&built, pace, now);
    plan.select(selection("pipelines: ['*'], tags: {Team: a}"), pace, now);
    assert_eq!(
        plan.image_told(&built, ImageSource::List, now),
        ImageNews::Wanted
    );
    plan.tally_image(&built);
    let read = plan.round_read(Lists::Images, None, now);
    assert_eq!(read.available, Some(Default::default()));
}

#[test]
fn image_that_has_left_and_is_no_longer_selected_takes_its_failed_executions_along() {
    let (now, pace, arn) = (start(), pace(true), image_arn(0));
    let mut plan = following(&built(&arn, now), pace, now);
    while let Some(due) = plan.take_due(now.instant) {
        plan.ended(&due.call);
    }
    plan.workflows_read(&arn, None, now.instant, now.instant);
    let now = now.plus(pace.retention + INTERVAL);
    assert_eq!(plan.leave(now).images, std::slice::from_ref(&arn));
    plan.select(selection("pipelines: ['*'], tags: {Team: a}"), pace, now);
    plan.tally_pipeline(&pipeline());
    let read = plan.round_read(Lists::Pipelines, None, now);
    assert_eq!(read.undecided, std::slice::from_ref(&arn));
    let news = plan.decide(&arn, now.instant);
    assert_eq!(news, ImageNews::NoLongerWanted);
}

#[test]
fn named_execution_is_kept_longer_only_for_a_failed_image_that_is_followed() {
    let (now, pace, arn) = (start(), pace(true), image_arn(0));
    let workflow = workflow_id(&step_id(0));
    let failed = image(&arn, "FAILED", now);
    let mut plan = Plan::new(1, pace);
    plan.select(selection("images: [other]"), pace, now);
    plan.name_workflows(&[workflow], now);
    plan.image_told(&failed, ImageSource::List, now);
    let answer = WorkflowExecution {
        image: Some(arn.clone()),
        ..WorkflowExecution::with_status(WorkflowStatus::parse("CANCELLED"))
    };
    plan.workflow_answered(workflow, &answer, now.instant, now);
    assert_eq!(plan.retention_of(workflow), pace.retention);
    plan.name_images(std::slice::from_ref(&arn), now);
    plan.image_told(&failed, ImageSource::Get, now);
    plan.image_claimed(&arn, now.instant);
    assert_eq!(plan.retention_of(workflow), pace.retention_failed);
}

#[test]
fn failed_image_whose_retry_went_well_between_two_lists_stays_until_its_executions_are_told() {
    let (now, pace, arn) = (start(), pace(false), image_arn(0));
    let failed = image(&arn, "FAILED", now);
    let mut plan = following(&failed, pace, now);
    while let Some(due) = plan.take_due(now.instant) {
        plan.ended(&due.call);
    }
    plan.workflows_read(&arn, None, now.instant, now.instant);
    let later = now.plus(pace.retention + INTERVAL);
    let went_well = Image {
        status: ImageStatus::Available,
        failure: None,
        ..failed
    };
    plan.image_told(&went_well, ImageSource::List, later);
    plan.image_claimed(&arn, later.instant);
    assert_eq!(plan.leave(later), Left::default());
    assert!(plan.queue.is_waiting(&Call::Workflows(arn.clone())));
    while let Some(due) = plan.take_due(later.instant) {
        plan.ended(&due.call);
    }
    plan.workflows_read(&arn, None, later.instant, later.instant);
    assert_eq!(plan.leave(later).images, [arn]);
}

proptest! {
    #[test]
    fn whatever_happens_each_step_waits_or_is_under_way_until_it_is_settled(
        seed: u64,
        events in prop::collection::vec(event(), 1..200),
    ) {
        let mut all = vec![Event::Follow(0xff)];
        all.extend(events);
        play(seed, all)?;
    }

    #[test]
    fn whatever_happens_what_is_followed_as_a_whole_is_asked_for_until_it_leaves(
        seed: u64,
        events in prop::collection::vec(discovering(), 1..300),
    ) {
        let mut all = vec![Event::Name(0b11, 0b11, true)];
        all.extend(events);
        play(seed, all)?;
    }
}

/// A plan whose Lists told of two steps a while ago, of which no Get has told yet.
fn told_by_lists() -> (Plan, [StepExecutionId; 2], Now) {
    let (now, steps) = (start(), [step_id(0), step_id(2)]);
    let mut plan = Plan::new(1, pace(true));
    plan.name_workflows(&steps.map(|step| workflow_id(&step)), now);
    for step in steps {
        plan.step_found(step, workflow_id(&step));
        let seen = observation(step, "PENDING", None);
        plan.step_answered(step, &seen, SeenBy::List, now.instant, now);
    }
    (plan, steps, now.plus(INTERVAL * 10))
}

#[test]
fn step_that_failed_is_asked_for_before_all_that_has_waited_longer() {
    let (mut plan, [_, step], now) = told_by_lists();
    let seen = observation(step, "FAILED", None);
    plan.step_answered(step, &seen, SeenBy::List, now.instant, now);
    let first = plan.take_due(now.instant).unwrap();
    assert_eq!(first.call, Call::Step(step));
    assert_eq!(first.urgency, Urgency::Hurried);
}

#[test]
fn step_that_failed_is_not_asked_for_in_vain_at_each_list() {
    let (mut plan, [_, step], now) = told_by_lists();
    let seen = observation(step, "FAILED", None);
    for kind in [ErrorKind::Client, ErrorKind::Forbidden] {
        plan.get_failed(step, kind, now.instant);
        let later = now.plus(INTERVAL);
        plan.step_answered(step, &seen, SeenBy::List, later.instant, later);
        let due = plan.queue.due(&Call::Step(step)).unwrap();
        assert!(due >= now.instant + HOUR * 9 / 10, "{kind:?}");
    }
}
