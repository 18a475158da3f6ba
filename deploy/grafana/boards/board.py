"""Builds the frame of a dashboard: its variables, links and rows."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from boards.panels import DATASOURCE

TAG = "imagebuilder"
# The status page of an exporter on this machine, and a placeholder for the URL of the runbooks.
STATUS_PAGE = "http://localhost:10850"
RUNBOOKS = "https://YOUR-HOST/PATH/docs/runbooks"


def data_source():
    return dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")


def choice(name, label, series, of):
    """Offers the values of a label in the time range; "All" includes series without the label."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(f"label_values({series}, {of})")
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def window():
    return (
        dashboard.IntervalVariable("window")
        .label("Window")
        .values("1h,6h,1d,7d")
        .current(model.VariableOption(selected=True, text="6h", value="6h"))
    )


def address(name, label, value, description):
    return (
        dashboard.TextBoxVariable(name)
        .label(label)
        .description(description)
        .default_value(value)
        .current(model.VariableOption(selected=True, text=value, value=value))
        .hide(model.VariableHide.HIDE_VARIABLE)
    )


class Marks(model.AnnotationQuery):
    """Marks on graphs at the times that a query of Prometheus returns, in milliseconds. They have
    members that the SDK's model of annotations lacks."""

    def __init__(self, title, text, **known):
        super().__init__(**known)
        # A failure is exposed for hours, so a coarse step finds it too.
        self.more = {
            "titleFormat": title,
            "textFormat": text,
            "useValueForTime": True,
            "step": "5m",
        }

    def to_json(self):
        return super().to_json() | self.more


def failures(steps):
    """Marks the end of each failed step."""
    return Built(
        Marks(
            "{{image}}",
            "{{step}} of {{workflow}} failed",
            name="Failed steps",
            datasource=DATASOURCE,
            icon_color="red",
            # In milliseconds.
            expr=f"1000 * ({steps.of('_end_time_seconds')} > $__from / 1000"
            f" and on (step_execution_id) {steps.failed()})",
        )
    )


def failed_builds(unresolved):
    """Marks the time at which the failure of each build was first exposed, to five minutes."""
    build = "account_id, region, image, image_version"
    return Built(
        Marks(
            "{{image}}",
            "build {{image_version}} failed",
            name="Failed builds",
            datasource=DATASOURCE,
            icon_color="dark-red",
            # In milliseconds. The range bridges a restart of the exporter.
            expr=f"1000 * max by ({build}) (timestamp({unresolved}))"
            f" unless on ({build}) last_over_time({unresolved}[1h] offset 5m)",
        )
    )


class Built(Builder):
    """Wraps a value for which the SDK requires a builder and has none."""

    def __init__(self, what):
        self.what = what

    def build(self):
        return self.what


def board(title, uid, description, since, variables, annotations, rows):
    """Builds a dashboard; `rows` has the panels below the title of each row."""
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .timezone("browser")
        .refresh("30s")
        .time(since, "now")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .editable()
        .variables(
            [
                data_source(),
                *variables,
                address(
                    "status_page", "Status page", STATUS_PAGE, "URL of the exporter for people"
                ),
                address("runbooks", "Runbooks", RUNBOOKS, "URL where docs/runbooks/ is published"),
            ]
        )
        .link(
            dashboard.DashboardLink("Image Builder")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
        .link(
            dashboard.DashboardLink("Status page")
            .type(model.DashboardLinkType.LINK)
            .url("${status_page}")
            .icon("external link")
            .target_blank(True)
        )
    )
    for annotation in annotations:
        made.annotation(annotation)
    for name, panels in rows:
        made.with_row(dashboard.Row(name))
        for panel in panels:
            made.with_panel(panel)
    built = made.build()
    for number, panel in enumerate(built.panels, 1):
        panel.id_val = number
    return built
