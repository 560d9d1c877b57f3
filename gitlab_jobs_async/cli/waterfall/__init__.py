"""Timelines of pipelines as waterfalls: for terminals, pipes, SVG and HTML. Pure."""
