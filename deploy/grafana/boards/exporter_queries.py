"""Queries on the exporter that several panels share."""

PROCESS = 'job=~"$job", instance=~"$instance"'
TARGET = f'{PROCESS}, target=~"$target", region=~"$region"'
EXPORTER = "imagebuilder_exporter_"
BUILD_INFO = f"{EXPORTER}build_info{{{PROCESS}}}"
BY_TARGET = "target, region"
NAMED = "{{target}} {{region}}"
# Successful and throttled calls are no errors.
ERRORS = 'result!~"ok|throttled"'
THROTTLED = 'result="throttled"'
POLLED = 'state=~"active|pending"'


def about(name, *more, chosen=TARGET):
    return f"{EXPORTER}{name}{{{', '.join([chosen, *more])}}}"


def calls(by, *more):
    """Returns calls per second. Each replica makes its own calls, so they are summed."""
    return f"sum by ({by}) (rate({about('api_requests_total', *more)}[$__rate_interval]))"


def part_of_calls(matcher, by=""):
    return f"{calls(by, matcher)} / ({calls(by)} > 0)"


def within(quantile, by, buckets):
    rates = f"sum by ({by}, le) (rate({buckets}[$__rate_interval]))"
    return f"histogram_quantile({quantile}, {rates}) >= 0"


def of_exporters(series):
    """Limits a series that every process has to exporters."""
    return f"{series} and on (job, instance) last_over_time({BUILD_INFO}[1d])"
