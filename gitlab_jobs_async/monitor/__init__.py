"""Monitor many projects, pipelines and jobs as one stream of events."""
