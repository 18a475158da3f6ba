"""Variants of promtool's unit tests, in all of which the same is expected: with two replicas, with
an instance that changes, with restarts, with `status_format: sparse`."""

import itertools
import re

# These are about the scrapes of one process themselves: to them a restart, or another instance, is
# another world. Their unit tests say what they make of it.
ABOUT_SCRAPES = {
    "ImageBuilderExporterDown",
    "ImageBuilderExporterAbsent",
    "ImageBuilderTargetGone",
}
# Where this counts, another instance's word is nothing: a process alone knows for how long it has
# looked for the same.
SINCE = "imagebuilder_exporter_config_last_reload_success_timestamp_seconds"


# What promtool's notation for values means, sample by sample; `_` is none.


def expanded(values):
    return list(itertools.chain.from_iterable(map(samples, values.split())))


def samples(item):
    if found := re.fullmatch(r"_(?:x(\d+))?", item):
        return ["_"] * int(found[1] or 1)
    if found := re.fullmatch(r"(-?[\d.]+)(?:([+-][\d.]+))?x(\d+)", item):
        first, step = float(found[1]), float(found[2] or 0)
        return [f"{first + step * index:.15g}" for index in range(int(found[3]) + 1)]
    return [item]


# The variants. `at` is the sample at which something happens to the exporter.


def of_exporter(series):
    return series["series"].startswith("imagebuilder_")


def elsewhere(series):
    """The same series, of another process."""
    labels = r'instance="\1-2", pod="other", container="other", endpoint="other"'
    moved = re.sub(r'instance="(\w+)"', labels, series["series"])
    return {**series, "series": moved}


def two_replicas(series, _):
    return [series, elsewhere(series)]


# For how many samples nobody is scraped.
GAP = 4


def restart(series, at):
    """Not scraped for two minutes: the scrape that fails marks what it lacks as stale."""
    values = expanded(series["values"])
    return [{**series, "values": " ".join(without(values, at, at + GAP))}]


def other_instance(series, at):
    """Another pod takes over, and is seen two minutes after the first one is gone."""
    values = expanded(series["values"])
    before = without(values, at, len(values))
    after = ["_" for _ in values[: at + GAP]] + values[at + GAP :]
    return [
        {**series, "values": " ".join(before)},
        {**elsewhere(series), "values": " ".join(after)},
    ]


def overlapping_instance(series, at):
    """The other pod is there for a minute before the first one goes."""
    values = expanded(series["values"])
    before = without(values, at, len(values))
    after = ["_" for _ in values[: max(at - 2, 0)]] + values[max(at - 2, 0) :]
    return [
        {**series, "values": " ".join(before)},
        {**elsewhere(series), "values": " ".join(after)},
    ]


def all_gone(series, at):
    """Nobody shows anything any more."""
    values = expanded(series["values"])
    return [{**series, "values": " ".join(without(values, at, len(values)))}]


def without(values, begin, end):
    """Nothing from `begin` to before `end`; marked as stale where there was something before."""
    gone = ["_"] * len(values[begin:end])
    if gone and begin > 0 and values[begin - 1] != "_":
        gone[0] = "stale"
    return values[:begin] + gone + values[end:]


def sparse(series, _):
    """status_format: sparse has the status that is, and no other."""
    if "_status{" not in series["series"]:
        return [series]
    values = expanded(series["values"])
    shown = [value if value == "1" else "_" for value in values]
    for index in range(1, len(shown)):
        if shown[index] == "_" and shown[index - 1] == "1":
            shown[index] = "stale"
    return [{**series, "values": " ".join(shown)}] if "1" in shown else []


def sample_at(test, eval_time):
    return seconds(eval_time) // seconds(test["interval"])


def seconds(duration):
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([hms])", duration))


def variants(test, rules):
    """Of a unit test: each variant's name, the sample at which it happens, and what it makes of a
    series. `rules` is each alert's rule."""
    looks = test.get("alert_rule_test", []) + test.get("promql_expr_test", [])
    yield "two replicas", 0, two_replicas
    if {look.get("alertname") for look in looks} & ABOUT_SCRAPES:
        return
    yield "sparse", 0, sparse
    if "alert_rule_test" not in test:
        # A counter does begin anew with its process: what a gap does to it is in the unit tests.
        return
    # It hurts most just before an alert is to fire, and while one that fires is looked at: with as
    # much of the gap before that look as the alert has been pending for. Where none is to fire, most
    # of the gap, so that one that does has the time to.
    firing = sorted(
        (look for look in looks if look["exp_alerts"]),
        key=lambda look: sample_at(test, look["eval_time"]),
    )
    looked = [sample_at(test, look["eval_time"]) for look in firing or looks]
    before = min(pending(test, firing[0], rules), GAP) if firing else GAP
    first, last = min(looked) - max(before - 1, 1), max(looked) - 1
    happens = [(first, restart), (last, restart)]
    if not any(series["series"].startswith(SINCE) for series in test["input_series"]):
        happens += [(first, other_instance), (last // 2, overlapping_instance)]
    for at, variant in happens:
        yield f"{variant.__name__} at sample {at}", at, variant
    if firing:
        yield f"all gone at sample {last + 1}", last + 1, all_gone


def varied(test, name, at, variant, rules):
    """The unit test in a variant, without what nobody could know in it: what happens while nobody
    is scraped, and the begin of an alert meanwhile. `rules` is each alert's rule."""
    kept = []
    blind = variant in (restart, other_instance)
    hidden = blind and changes(test, at)
    for series in test["input_series"]:
        kept += variant(series, at) if of_exporter(series) else [series]
    made = {**test, "name": f"{test['name']} [{name}]", "input_series": kept}
    if blind:
        made["alert_rule_test"] = [
            look
            for look in test["alert_rule_test"]
            if not at <= sample_at(test, look["eval_time"]) < at + GAP + pending(test, look, rules)
            or not (hidden or (look["exp_alerts"] and not kept_firing(test, look, at, rules)))
        ]
    if variant is all_gone:
        made["alert_rule_test"] = silence(test, at)
    return made


def kept_firing(test, look, at, rules):
    """Whether the alerts of a look have fired before the gap, so that they fire in it. An alert with
    a value keeps its last value in the gap, which is another one than the look expects."""
    if "$value" in rules[look["alertname"]]["annotations"]["summary"]:
        return False
    fired = [
        alert["exp_labels"]
        for earlier in test["alert_rule_test"]
        if earlier["alertname"] == look["alertname"] and sample_at(test, earlier["eval_time"]) < at
        for alert in earlier["exp_alerts"]
    ]
    return all(alert["exp_labels"] in fired for alert in look["exp_alerts"])


# For how many seconds an alert may go on for what nobody shows: the longest range of a rate, and a
# scrape.
AFTERWARDS = 630


def silence(test, at):
    """That each alert of the test is silent when all is forgotten."""
    when = at * seconds(test["interval"]) + AFTERWARDS
    alerts = sorted({look["alertname"] for look in test["alert_rule_test"]})
    return [{"eval_time": f"{when}s", "alertname": name, "exp_alerts": []} for name in alerts]


def changes(test, at):
    """Whether something happens while nobody is scraped that isn't just time going by."""
    for series in filter(of_exporter, test["input_series"]):
        around = expanded(series["values"])[max(at - 2, 0) : at + GAP + 1]
        numbers = [float(value) if value not in ("_", "stale") else None for value in around]
        if None in numbers and set(numbers) != {None}:
            return True
        if None not in numbers:
            steps = {round(after - before, 6) for before, after in itertools.pairwise(numbers)}
            if len(steps) > 1:
                return True
    return False


def pending(test, look, rules):
    """For how many samples an alert that begins anew is pending."""
    return seconds(rules[look["alertname"]].get("for", "0s")) // seconds(test["interval"])
