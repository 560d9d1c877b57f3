"""`watch --plan`: print the forecast of a monitor's cost and delay without any request."""

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from shutil import get_terminal_size
from textwrap import wrap
from typing import Annotated, Any

from attrs import asdict, frozen
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.errors import usage_error
from gitlab_jobs_async.cli.options import Positive
from gitlab_jobs_async.cli.output import print_facts
from gitlab_jobs_async.cli.terminal import is_terminal, write
from gitlab_jobs_async.cli.views.plan import sentences
from gitlab_jobs_async.monitor.forecast import forecast
from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.ratelimit.limits import JOBS_INDEX_PER_MINUTE

_PLAN = Group("Rate and forecast", sort_key=5)


@Parameter(name="*", group=_PLAN)
@frozen(kw_only=True)
class ForecastOptions:
    """Options of the request rate and of the forecast."""

    per_minute: Annotated[Positive, Parameter(help="Maximum requests per minute.")] = None
    jobs_index_per_minute: Annotated[
        Positive,
        Parameter(help="Maximum listings of jobs per minute. Default: 600, as GitLab's own."),
    ] = None
    plan: Annotated[
        int | bool | None,
        Parameter(
            validator=Number(gte=1),
            metavar="[N]",
            help="Do not watch; print a forecast for N projects, or without N for the named ones.",
        ),
    ] = None
    busy: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=0),
            metavar="N",
            help="With --plan: number of projects with running jobs; default 2 %.",
        ),
    ] = None

    @property
    def listings(self) -> int:
        """The limit of listings of jobs a minute."""
        return self.jobs_index_per_minute or JOBS_INDEX_PER_MINUTE

    def budget(self) -> RequestBudget:
        """Return the budget of these limits."""
        return RequestBudget(per_minute=self.per_minute, jobs_index_per_minute=self.listings)


def print_plan(options: ForecastOptions, projects: int, *, json: bool) -> None:
    """Print the forecast in sentences, then name and value per line; or as one JSON object."""
    busy = max(1, projects // 50) if options.busy is None else options.busy
    if busy > projects:
        raise usage_error(f"--busy {busy}: expected at most {projects}, the number of projects")
    plan = forecast(
        projects,
        busy=busy,
        per_minute=options.per_minute,
        jobs_index_per_minute=options.listings,
    )
    numbers = _rounded(asdict(plan))
    if not json:
        lines = [*sentences(projects, busy, plan), ""]
        write("".join(f"{line}\n" for line in _wrapped(lines)))
    print_facts(list(_facts(numbers)), numbers, json=json)


def _wrapped(lines: Sequence[str]) -> Iterator[str]:
    # A terminal breaks long lines within words; a pipe keeps one sentence a line.
    width = get_terminal_size().columns if is_terminal() else inf
    for line in lines:
        if len(line) <= width:
            yield line
        else:
            indent = " " * (len(line) - len(line.lstrip()))
            yield from wrap(line, int(width), subsequent_indent=indent, break_on_hyphens=False)


def _facts(numbers: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in numbers.items():
        if isinstance(value, dict):
            yield from _facts(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value


def _rounded(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _rounded(value)
        if isinstance(value, dict)
        else round(value, 2)
        if isinstance(value, float)
        else value
        for name, value in numbers.items()
    }
