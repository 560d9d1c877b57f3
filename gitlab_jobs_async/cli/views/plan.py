"""A forecast of a monitor in sentences."""

from typing import Final

from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.monitor.forecast import Forecast, Way

_TITLES: Final = {
    "hints": "With GraphQL, which is asked about the idle projects:",
    "scan": "With GraphQL, which is asked about the jobs of all projects:",
    "rest": "By REST alone, as for a job token or a server without GraphQL:",
}
_STRETCHED: Final = 1.05


def sentences(projects: int, busy: int, plan: Forecast) -> list[str]:
    """Return the forecast in sentences, one a line."""
    limits = plan.limits
    lines = [
        f"{counted(projects, 'project')}, {busy} with running jobs, on "
        f"{counted(limits.most, 'request')} a minute. Polls may use {limits.all:g}.",
    ]
    if limits.listings < limits.all:
        lines.append(
            f"Listings of jobs may use {limits.listings:g} of them; questions by GraphQL do not "
            "count. --jobs-index-per-minute sets another limit."
        )
    for way in (plan.graphql, plan.rest):
        if way is not None:
            lines += ["", _TITLES[way.name], *_sentences_of(way)]
    lines += [
        "",
        "Each time holds for 95 % of the changes.",
        f"The first start lists the jobs of each project once, which takes {_first_round(plan)}. A "
        "restart with a checkpoint does not.",
    ]
    if plan.complete:
        lines.append(_completing(plan))
    return lines


def _sentences_of(way: Way) -> list[str]:
    idle, busy = way.idle, way.busy
    lines = []
    if idle.projects:
        lines.append(
            f"  An idle project's first change is seen within {spoken(idle.most)}, half of them "
            f"within {spoken(idle.median)}."
        )
    if busy.projects:
        lines.append(
            f"  A change in a busy project is seen within {spoken(busy.most)}, half of them within "
            f"{spoken(busy.median)}."
        )
    asked = round(way.questions_per_minute)
    questions = f", {asked} of them questions by GraphQL" if asked else ""
    lines.append(
        f"  It takes {counted(round(way.requests_per_minute), 'request')} a minute{questions}."
    )
    if way.stretch > _STRETCHED:
        lines.append(f"  More requests would help: intervals are {way.stretch:.1f} times as long.")
    return lines


def _first_round(plan: Forecast) -> str:
    rest = spoken(plan.rest.first_round)
    if plan.graphql is None or spoken(plan.graphql.first_round) == rest:
        return rest
    return f"{spoken(plan.graphql.first_round)} ({rest} by REST alone)"


def _completing(plan: Forecast) -> str:
    way = plan.graphql or plan.rest
    listings = way.requests_per_minute - way.questions_per_minute
    limits = plan.limits
    left = max(0.0, min(limits.all - way.requests_per_minute, limits.listings - listings))
    fits = (
        "which fits into the limit"
        if plan.complete <= left
        else f"but only {left:.0f} are left: all changes are seen later"
    )
    return (
        "Events by GraphQL lack some fields of a job. --complete reads them by REST: about "
        f"{counted(round(plan.complete), 'request')} a minute more, {fits}."
    )


def spoken(seconds: float) -> str:
    """Return a rounded duration in one unit: 40 s, 1.7 min, 22 min, 6.2 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    value, unit = (seconds / 60, "min") if seconds < 5400 else (seconds / 3600, "h")
    return f"{f'{value:.1f}'.removesuffix('.0')} {unit}" if value < 10 else f"{value:.0f} {unit}"
