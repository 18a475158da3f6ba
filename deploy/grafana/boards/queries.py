"""PromQL that panels share.

Rules for all of it:

- Two replicas, and a pod under its old and its new name, expose the same thing. So each side of an
  expression is reduced by `max` first: joins find one partner, and nothing counts twice.
- A state is selected by `== 1`, which is correct with `metrics.status_format` stateset and sparse.
  A step has a state as long as one replica exposes it: the other can be a poll behind. An exact
  result, as in the alerts, would take five times as long with ten thousand steps.
- Selectors are `=~`, and "All" is `.*`, which includes series without the label.
- Ratios and quantiles use sums over replicas: an instance that was replaced counts for its time.
  Two replicas count everything twice, which changes neither. A count itself is the larger one of
  two replicas.
- No recording rule is needed. The recorded series cover all images; these panels select images.
"""

from dataclasses import dataclass

REPLICAS = "instance, pod, container, endpoint"
NAMED_STEP = "account_id, region, image, workflow, step"
STEP = f"{NAMED_STEP}, step_execution_id"
IMAGE = "account_id, region, image, image_version"
PIPELINE = "account_id, region, pipeline"

STILL = "AVAILABLE|CANCELLED|DELETED|DEPRECATED|DISABLED|FAILED"
# Numbers for a state timeline. If two replicas disagree, the earlier one in this list applies: one
# of them has not observed the end yet.
STATUSES = ["COMPLETED", "FAILED", "CANCELLED", "SKIPPED", "RUNNING", "PENDING"]
UNKNOWN = len(STATUSES) + 1


def one(expression, *labels):
    """Returns one series for those of several replicas, which can also differ in these labels."""
    return f"max without ({', '.join([REPLICAS, *labels])}) ({expression})"


def at_least_zero(count):
    """Returns 0 if nothing matches, and no value if there is no exporter."""
    return f"{count} or 0 * max(imagebuilder_exporter_build_info)"


def newest(identity, labels, expression):
    """Returns one series for each identity, even while its labels differ between replicas."""
    return f"topk by ({identity}) (1, max by ({identity}, {labels}) ({expression}))"


@dataclass(frozen=True)
class Steps:
    """Builds queries on the step executions that `chosen` selects."""

    chosen: str

    def series(self, name, *more):
        return f"imagebuilder_workflow_step{name}{{{', '.join([self.chosen, *more])}}}"

    def of(self, name, by=STEP):
        return f"max by ({by}) ({self.series(name)})"

    def known(self, labels):
        """Returns labels of the info series."""
        return newest("step_execution_id", labels, self.series("_info"))

    def status(self, statuses):
        shown = self.series("_status", f'status=~"{statuses}"')
        return f"max by (step_execution_id) ({shown} == 1)"

    def running(self):
        return self.status("RUNNING")

    def failed(self):
        return self.status("FAILED")

    def ended_in_range(self, by=STEP):
        return f"({self.of('_end_time_seconds', by)} > time() - $__range_s)"

    def failed_in_range(self, by=STEP):
        return f"({self.ended_in_range(by)} and on (step_execution_id) {self.failed()})"

    def unresolved(self, name="_unresolved_failure"):
        """Returns the steps with an unresolved failure, or an unresolved failure of their rollback."""
        return f"max by (step_execution_id) ({self.series(name)})"

    def superseded(self):
        """Returns the steps of superseded workflow executions."""
        return (
            f"(max by (step_execution_id) ({self.series('_info')} and on (workflow_execution_id)"
            f" max by (workflow_execution_id) (imagebuilder_workflow_execution_retried) == 1))"
        )

    def elapsed(self):
        """Returns the elapsed time of running steps, while polls succeed."""
        return self.of("_running_seconds")

    def used(self, limit="_timeout_seconds"):
        """Returns the part of the limit that running steps have used."""
        return f"({self.elapsed()} / on (step_execution_id) group_left () {self.limit(limit)})"

    def limit(self, limit="_timeout_seconds"):
        return f"max by (step_execution_id) ({self.series(limit)})"

    def usual(self):
        """Returns how long each step usually takes."""
        return self.of("_typical_duration_seconds", NAMED_STEP)

    def usual_of(self, executions):
        """Returns how long the steps of these executions usually take."""
        return f"(0 * {executions} + on ({NAMED_STEP}) group_left () {self.usual()})"

    def against_usual(self, durations):
        """Returns the ratio of the duration of executions to the usual one."""
        return f"({durations} / on ({NAMED_STEP}) group_left () ({self.usual()} > 0))"

    def slow(self):
        """Returns whether running steps run much longer than usual. All replicas agree on a slow one."""
        return f"min by (step_execution_id) ({self.series('_slow')})"

    def waiting(self):
        return f"(max by (step_execution_id) ({self.series('_waiting_for_action')}) == 1)"

    def rollback(self):
        """Returns the status of the rollback of each step, in the label `rollback`."""
        shown = newest("step_execution_id", "status", f"{self.series('_rollback_status')} == 1")
        return f'label_replace({shown}, "rollback", "$1", "status", "(.*)")'

    def newest_status(self, by):
        """Returns the index in `STATUSES`, or `UNKNOWN`, of the newest execution."""
        numbers = [
            f"0 * {self.status(status)} + {number}" for number, status in enumerate(STATUSES, 1)
        ]
        others = self.series("_status", f'status!~"{"|".join(STATUSES)}"')
        numbers.append(f"0 * max by (step_execution_id) ({others} == 1) + {UNKNOWN}")
        # The whole seconds of the start times 8, with the number in the last three bits.
        starts = f"floor({self.of('_start_time_seconds')}) * 8"
        marked = f"{starts} + on (step_execution_id) group_left () ({' or '.join(numbers)})"
        return f"max by ({by}) ({marked}) % 8"

    def counter(self, statuses=".+"):
        return f'imagebuilder_workflow_steps_finished_total{{{self.chosen}, status=~"{statuses}"}}'

    def buckets(self):
        """Returns the buckets of COMPLETED executions; the time until a failure is not typical."""
        return self.series("_finished_duration_seconds_bucket", 'status="COMPLETED"')

    def finished(self, statuses, window, by):
        """Returns the number of executions that ended with one of these statuses."""
        return f"sum by ({by}) ({one(f'increase({self.counter(statuses)}[{window}])')})"

    def share(self, statuses, window, by=""):
        """Returns the ratio of executions with these statuses to COMPLETED and FAILED ones."""

        def ends(of):
            return f"sum by ({by}) (increase({self.counter(of)}[{window}]))"

        return f"{ends(statuses)} / ({ends('COMPLETED|FAILED')} > 0)"

    def took(self, quantile, window, by=""):
        """Returns a quantile of the duration of executions."""
        labels = f"{by}, le" if by else "le"
        ends = f"sum by ({labels}) (increase({self.buckets()}[{window}]))"
        return f"histogram_quantile({quantile}, {ends}) >= 0"
