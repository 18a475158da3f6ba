"""PromQL that panels share.

What holds for all of it:

- Two replicas, and a pod under its old and its new name, show the same thing: each side of an
  expression is reduced first, by `max`, so that joins find one partner and counts count once.
- A state is looked for by `== 1`, which is right with `metrics.status_format` stateset and sparse.
  Something is in a state as long as one replica says so: the other may be a poll behind. To be
  exact there, as the alerts are, would take five times as long where there are ten thousand steps.
- Selections are `=~`, and "All" is `.*`, which takes in series that lack the label.
- Ratios and quantiles are of sums over replicas: an instance that was replaced counts for its time,
  and two replicas count everything twice, which neither shows. What is counted for its own sake is
  the larger of two replicas' counts.
- No recording rule is needed. The recorded figures are over all images; these panels choose images.
"""

from dataclasses import dataclass

REPLICAS = "instance, pod, container, endpoint"
STEP = "account_id, region, image, workflow, step, step_execution_id"
IMAGE = "account_id, region, image, image_version"
PIPELINE = "account_id, region, pipeline"

STILL = "AVAILABLE|CANCELLED|DELETED|DEPRECATED|DISABLED|FAILED"
# Numbers for a state timeline. Where two replicas disagree, the earlier in this list is taken: what
# has ended for one is news to the other.
STATUSES = ["COMPLETED", "FAILED", "CANCELLED", "SKIPPED", "RUNNING", "PENDING"]
UNKNOWN = len(STATUSES) + 1


def one(expression, *labels):
    """One series for what several replicas show, or differ in by these labels."""
    return f"max without ({', '.join([REPLICAS, *labels])}) ({expression})"


def at_least_zero(count):
    """0 in place of nothing, but nothing where there is no exporter to count for."""
    return f"{count} or 0 * max(imagebuilder_exporter_build_info)"


def newest(identity, labels, expression):
    """One series for each identity, also while two replicas know its labels differently."""
    return f"topk by ({identity}) (1, max by ({identity}, {labels}) ({expression}))"


@dataclass(frozen=True)
class Steps:
    """Step executions, as far as `chosen` selects them."""

    chosen: str

    def series(self, name, *more):
        return f"imagebuilder_workflow_step{name}{{{', '.join([self.chosen, *more])}}}"

    def of(self, name, by=STEP):
        return f"max by ({by}) ({self.series(name)})"

    def known(self, labels):
        """What the info series tells of each."""
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

    def superseded(self):
        """Those of workflow executions that a retry of the build took the place of."""
        return (
            f"(max by (step_execution_id) ({self.series('_info')} and on (workflow_execution_id)"
            f" max by (workflow_execution_id) (imagebuilder_workflow_execution_retried) == 1))"
        )

    def elapsed(self):
        """How long those have run that run."""
        return f"({self.of('_duration_seconds')} and on (step_execution_id) {self.running()})"

    def used(self, limit="_timeout_seconds"):
        """The part of their limit that running steps have used up."""
        return f"({self.elapsed()} / on (step_execution_id) group_left () {self.limit(limit)})"

    def limit(self, limit="_timeout_seconds"):
        return f"max by (step_execution_id) ({self.series(limit)})"

    def waiting(self):
        return f"(max by (step_execution_id) ({self.series('_waiting_for_action')}) == 1)"

    def rollback(self):
        """The status of each one's rollback, as the label `rollback`."""
        shown = newest("step_execution_id", "status", f"{self.series('_rollback_status')} == 1")
        return f'label_replace({shown}, "rollback", "$1", "status", "(.*)")'

    def newest_status(self, by):
        """The place in `STATUSES`, or `UNKNOWN`, of the execution that began last."""
        numbers = [
            f"0 * {self.status(status)} + {number}" for number, status in enumerate(STATUSES, 1)
        ]
        others = self.series("_status", f'status!~"{"|".join(STATUSES)}"')
        numbers.append(f"0 * max by (step_execution_id) ({others} == 1) + {UNKNOWN}")
        # The start's whole seconds times 8, and the number in the last three bits.
        starts = f"floor({self.of('_start_time_seconds')}) * 8"
        marked = f"{starts} + on (step_execution_id) group_left () ({' or '.join(numbers)})"
        return f"max by ({by}) ({marked}) % 8"

    def counter(self, statuses=".+"):
        return f'imagebuilder_workflow_steps_finished_total{{{self.chosen}, status=~"{statuses}"}}'

    def buckets(self):
        """Of COMPLETED executions: how long one took to fail says nothing of how long it takes."""
        return self.series("_finished_duration_seconds_bucket", 'status="COMPLETED"')

    def finished(self, statuses, window, by):
        """How many came to one of these ends."""
        return f"sum by ({by}) ({one(f'increase({self.counter(statuses)}[{window}])')})"

    def share(self, statuses, window, by=""):
        """The part of those that COMPLETED or FAILED that came to one of these ends."""

        def ends(of):
            return f"sum by ({by}) (increase({self.counter(of)}[{window}]))"

        return f"{ends(statuses)} / ({ends('COMPLETED|FAILED')} > 0)"

    def took(self, quantile, window, by=""):
        """A quantile of how long executions took."""
        labels = f"{by}, le" if by else "le"
        ends = f"sum by ({labels}) (increase({self.buckets()}[{window}]))"
        return f"histogram_quantile({quantile}, {ends}) >= 0"
