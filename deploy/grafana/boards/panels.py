"""Builds panels of a common look. Each requires a title, a description and a unit."""

from dataclasses import dataclass, field

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

# Data points of a query that reads several series of each of thousands of steps.
COARSE = 200

NEUTRAL = [(None, "blue")]
NONE_IS_GOOD = [(None, "green"), (1, "red")]
NONE_IS_BETTER = [(None, "green"), (1, "orange")]
NEAR_A_LIMIT = [(None, "green"), (0.8, "orange"), (1, "red")]

STATUS_COLOURS = {
    "AVAILABLE": "green",
    "BUILDING": "blue",
    "CANCELLED": "purple",
    "COMPLETED": "green",
    "CREATING": "blue",
    "DELETED": "text",
    "DEPRECATED": "text",
    "DISABLED": "text",
    "DISTRIBUTING": "blue",
    "FAILED": "red",
    "INTEGRATING": "blue",
    "PENDING": "light-blue",
    "ROLLBACK_COMPLETED": "dark-orange",
    "ROLLBACK_IN_PROGRESS": "orange",
    "RUNNING": "blue",
    "SKIPPED": "text",
    "TESTING": "blue",
}


def mapping(texts):
    """Maps values to coloured texts; `texts` has a pair for each value."""
    options = {
        str(value): model.ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(texts.items())
    }
    return model.ValueMap(options=options)


def coloured(*statuses):
    return mapping({status: (status, STATUS_COLOURS[status]) for status in statuses})


def thresholds(steps):
    return (
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=value, color=colour) for value, colour in steps])
    )


def runbooks(*alerts):
    return [link(alert, f"${{runbooks}}/{alert}.md") for alert in alerts]


def link(title, url):
    return dashboard.DashboardLink(title).url(url).target_blank(True)


def query(expression, legend="", interval=None):
    made = prometheus.Dataquery().expr(expression).legend_format(legend or "__auto").range()
    return made.interval(interval) if interval else made


def instant(expression, legend=""):
    return prometheus.Dataquery().expr(expression).legend_format(legend or "__auto").instant()


def cells(expression):
    return instant(expression).format(PromQueryFormat.TABLE)


def frame(panel, title, description, size, queries, links=()):
    """Sets what every panel has; `size` is its width (of 24) and its height."""
    width, height = size
    for letter, made in zip("ABCDEFGHIJKLMNOP", queries, strict=False):
        panel.with_target(made.ref_id(letter).datasource(DATASOURCE))
    return (
        panel.title(title)
        .description(description)
        .datasource(DATASOURCE)
        .span(width)
        .height(height)
        .links(list(links))
    )


def last_value():
    return common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)


def number(
    title, description, expression, unit="none", steps=NEUTRAL, size=(3, 4), links=(), decimals=None
):
    """Shows one number, at the end of the time range."""
    panel = frame(stat.Panel(), title, description, size, [instant(expression)], links)
    panel.unit(unit).thresholds(thresholds(steps)).reduce_options(last_value())
    panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    panel.color_mode(looks.BigValueColorMode.VALUE).graph_mode(looks.BigValueGraphMode.NONE)
    panel.text_mode(looks.BigValueTextMode.VALUE).no_value("-")
    return panel if decimals is None else panel.decimals(decimals)


def bars(title, description, queries, unit, steps, size, links=(), largest=None):
    """Shows a bar for each series, at the end of the time range."""
    panel = frame(bargauge.Panel(), title, description, size, queries, links)
    panel.unit(unit).thresholds(thresholds(steps)).reduce_options(last_value()).min(0)
    panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    panel.orientation(looks.VizOrientation.HORIZONTAL).display_mode(looks.BarGaugeDisplayMode.BASIC)
    return panel if largest is None else panel.max(largest)


def graph(
    title, description, queries, unit, size=(12, 8), steps=NEUTRAL, links=(), lowest=0, largest=None
):
    """Shows lines over time. All `steps` except the first become dashed lines."""
    panel = frame(timeseries.Panel(), title, description, size, queries, links)
    panel.unit(unit).thresholds(thresholds(steps)).fill_opacity(8).line_width(1)
    panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    panel.show_points(looks.VisibilityMode.AUTO)
    drawn = (
        looks.GraphThresholdsStyleMode.DASHED
        if len(steps) > 1
        else looks.GraphThresholdsStyleMode.OFF
    )
    panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(drawn))
    panel.tooltip(
        common.VizTooltipOptions()
        .mode(looks.TooltipDisplayMode.MULTI)
        .sort(looks.SortOrder.DESCENDING)
    )
    panel.legend(
        common.VizLegendOptions()
        .display_mode(looks.LegendDisplayMode.TABLE)
        .placement(looks.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["lastNotNull", "max"])
    )
    if lowest is not None:
        panel.min(lowest)
    return panel if largest is None else panel.max(largest)


def stacked(panel):
    panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL).group("A"))
    return panel.fill_opacity(40)


def columns_over_time(panel):
    """Shows bars instead of lines, for counts in an interval."""
    return stacked(panel).draw_style(looks.GraphDrawStyle.BARS).fill_opacity(80)


def points(panel):
    """Shows points, for values that are valid for some minutes."""
    panel.max_data_points(COARSE)
    return (
        panel.draw_style(looks.GraphDrawStyle.POINTS)
        .show_points(looks.VisibilityMode.ALWAYS)
        .point_size(7)
    )


def by_status(panel):
    """Gives each series named by a status the colour of that status."""
    for status, colour in STATUS_COLOURS.items():
        fixed = {"mode": "fixed", "fixedColor": colour}
        panel.override_by_name(status, [model.DynamicConfigValue(id_val="color", value=fixed)])
    return panel


def timeline(title, description, expression, legend, texts, size, links=()):
    """Shows a row for each series, coloured by the meaning of its value."""
    panel = frame(
        statetimeline.Panel(), title, description, size, [query(expression, legend)], links
    )
    panel.max_data_points(COARSE)
    panel.unit("none").thresholds(thresholds(NEUTRAL)).mappings([mapping(texts)])
    panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    panel.merge_values(True).show_value(looks.VisibilityMode.AUTO).row_height(0.85).fill_opacity(
        80
    ).per_page(40)
    panel.legend(common.VizLegendOptions().show_legend(False))
    return panel.tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.SINGLE))


def heat(title, description, expression, unit, size):
    """Shows a heatmap of the buckets that the query returns by `le`."""
    made = query(expression, "{{le}}", "5m").format(PromQueryFormat.HEATMAP)
    panel = frame(heatmap.Panel(), title, description, size, [made])
    panel.unit(unit).thresholds(thresholds(NEUTRAL)).calculate(False)
    panel.scale_distribution(common.ScaleDistributionConfig().type(looks.ScaleDistribution.LINEAR))
    panel.y_axis(heatmap.YAxisConfig().unit(unit))
    panel.color(
        heatmap.HeatmapColorOptions()
        .mode(HeatmapColorMode.SCHEME)
        .scheme("Blues")
        .steps(64)
        .fill("dark-blue")
        .exponent(0.5)
    )
    return panel.cell_gap(1).filter_values(heatmap.FilterValueRange().le(1e-9))


@dataclass(frozen=True)
class Column:
    """A column of a table: a label of its queries, or the value of the query with this letter."""

    source: str
    title: str
    # Text stays unchanged: the unit of a number would show an account id as "111 Bil".
    unit: str = "string"
    width: int | None = None
    steps: list = field(default_factory=list)
    texts: object = None
    gauge: bool = False
    links: tuple = ()

    def is_value(self):
        return len(self.source) == 1

    def name(self, queries):
        """Returns the name in Grafana, which omits the letter if there is only one query."""
        if not self.is_value():
            return self.source
        return f"Value #{self.source}" if queries > 1 else "Value"

    def properties(self):
        found = {}
        if self.is_value():
            found["unit"] = self.unit
        if self.width:
            found["custom.width"] = self.width
        if self.texts:
            found["mappings"] = [self.texts]
        if self.steps:
            found["thresholds"] = thresholds(self.steps).build()
        if self.gauge:
            found |= {"min": 0, "max": 1}
            found["custom.cellOptions"] = looks.TableBarGaugeCellOptions(
                mode=looks.BarGaugeDisplayMode.BASIC,
                value_display_mode=looks.BarGaugeValueMode.TEXT,
            )
        elif self.steps or self.texts:
            found["custom.cellOptions"] = looks.TableColorTextCellOptions()
        if self.links:
            found["links"] = [made.build() for made in self.links]
        return [model.DynamicConfigValue(id_val=name, value=value) for name, value in found.items()]


def rows(title, description, expressions, columns, size, sort=None, links=()):
    """Shows a table of the results of the queries, merged by their common labels. It has only the
    given columns."""
    panel = frame(
        table.Panel(), title, description, size, [cells(each) for each in expressions], links
    )
    panel.unit("string").thresholds(thresholds(NEUTRAL)).filterable(True)
    names = [column.name(len(expressions)) for column in columns]
    if len(expressions) > 1:
        panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(
        model.DataTransformerConfig(
            id_val="filterFieldsByName", options={"include": {"names": names}}
        )
    )
    panel.with_transformation(
        model.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {},
                "indexByName": {name: index for index, name in enumerate(names)},
                "renameByName": {
                    name: column.title for name, column in zip(names, columns, strict=True)
                },
            },
        )
    )
    for column in columns:
        if properties := column.properties():
            panel.override_by_name(column.title, properties)
    if sort:
        column, descending = sort
        panel.sort_by([common.TableSortByFieldState().display_name(column).desc(descending)])
    return panel
