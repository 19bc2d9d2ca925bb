"""The Grafana dashboard of the platform as code: ``python -m infra.dashboards.generate`` writes ``platform.json``."""
