"""Queries about the exporter itself, which several panels share."""

PROCESS = 'job=~"$job", instance=~"$instance"'
TARGET = f'{PROCESS}, target=~"$target", region=~"$region"'
EXPORTER = "imagebuilder_exporter_"
BUILD_INFO = f"{EXPORTER}build_info{{{PROCESS}}}"
BY_TARGET = "target, region"
NAMED = "{{target}} {{region}}"
# What is no outcome of the service's, or a good one, is no error.
ERRORS = 'result!~"ok|throttled"'
THROTTLED = 'result="throttled"'
ASKED_FOR = 'state=~"active|pending"'


def about(name, *more, chosen=TARGET):
    return f"{EXPORTER}{name}{{{', '.join([chosen, *more])}}}"


def calls(by, *more):
    """Calls a second. Each replica makes its own, so these are added up."""
    return f"sum by ({by}) (rate({about('api_requests_total', *more)}[$__rate_interval]))"


def part_of_calls(matcher, by=""):
    return f"{calls(by, matcher)} / ({calls(by)} > 0)"


def within(quantile, by, buckets):
    rates = f"sum by ({by}, le) (rate({buckets}[$__rate_interval]))"
    return f"histogram_quantile({quantile}, {rates}) >= 0"


def of_exporters(series):
    """A series that any process has, of exporters alone."""
    return f"{series} and on (job, instance) last_over_time({BUILD_INFO}[1d])"
