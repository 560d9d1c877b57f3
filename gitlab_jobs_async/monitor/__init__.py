"""Many projects, pipelines and jobs watched as one stream of events."""
