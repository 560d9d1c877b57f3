"""Pipelines with everything downstream, and waiting for jobs and pipelines."""
