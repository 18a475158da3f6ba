"""The Grafana dashboards, a module each or, for the overview, a few.

`queries` has the PromQL that panels share, `panels` makes panels that look alike, `choices` what
goes with the choices at the top, and `board` the frame around it all."""
