"""Environments of child processes."""

import os


def without_coverage(**added):
    """Return this environment without the measurement of coverage, which loads modules."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    return kept | added
