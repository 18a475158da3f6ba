"""The Grafana dashboards: one module each, and several for the overview.

`queries` has the PromQL that panels share, `panels` builds panels of a common look, `choices` has
the selectors of the variables, and `board` builds the frame of a dashboard."""
