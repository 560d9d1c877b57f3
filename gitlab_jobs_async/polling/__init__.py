"""Polls of jobs and pipelines that are followed or waited for: how often, at which rate."""
