"""`watch --plan`: print the forecast of a monitor's cost and delay without any request."""

from collections.abc import Mapping
from typing import Any

from attrs import asdict

from gitlab_jobs_async.cli.output import print_facts
from gitlab_jobs_async.monitor.schedule.forecast import forecast


def print_plan(projects: int, busy: int, per_minute: int | None, *, json: bool) -> None:
    """Print the forecast as name and value per line, or as one JSON object."""
    numbers = _rounded(asdict(forecast(projects, busy=busy, per_minute=per_minute)))
    facts: list[tuple[str, object]] = []
    for name, value in numbers.items():
        kind = value if isinstance(value, dict) else {"": value}
        facts += [(f"{name}.{key}".rstrip("."), number) for key, number in kind.items()]
    print_facts(facts, numbers, json=json)


def _rounded(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _rounded(value) if isinstance(value, dict) else round(value, 2)
        for name, value in numbers.items()
    }
