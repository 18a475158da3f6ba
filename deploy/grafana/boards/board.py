"""The frame of a dashboard: its variables, its links to the others, its rows."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from boards.panels import DATASOURCE

TAG = "imagebuilder"
# Where an exporter of this machine has its status page; a placeholder for where the runbooks are.
STATUS_PAGE = "http://localhost:10850"
RUNBOOKS = "https://YOUR-HOST/PATH/docs/runbooks"


def data_source():
    return dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")


def choice(name, label, series, of):
    """Offers what a label has had in the time range; "All" takes in what lacks the label."""
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
        .label("Counted over")
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
    """Marks on graphs at the times, in milliseconds, that a query of Prometheus finds. They have
    members that the SDK's model of annotations lacks."""

    def __init__(self, title, text, **known):
        super().__init__(**known)
        # A step's end is shown for hours: it is found also where one looks seldom.
        self.more = {
            "titleFormat": title,
            "textFormat": text,
            "useValueForTime": True,
            "step": "5m",
        }

    def to_json(self):
        return super().to_json() | self.more


def failures(steps):
    """A mark at the end of each step that failed."""
    return Built(
        Marks(
            "{{image}}",
            "{{step}} of {{workflow}} failed",
            name="Failed steps",
            datasource=DATASOURCE,
            icon_color="red",
            # As milliseconds.
            expr=f"1000 * ({steps.of('_end_time_seconds')} > $__from / 1000"
            f" and on (step_execution_id) {steps.failed()})",
        )
    )


class Built(Builder):
    """What the SDK has no builder for, where it takes one."""

    def __init__(self, what):
        self.what = what

    def build(self):
        return self.what


def board(title, uid, description, since, variables, annotations, rows):
    """A dashboard; `rows` has the panels below each row's title."""
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
                    "status_page", "Status page", STATUS_PAGE, "Where people reach the exporter"
                ),
                address("runbooks", "Runbooks", RUNBOOKS, "Where people read docs/runbooks/"),
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
