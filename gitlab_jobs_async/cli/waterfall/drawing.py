"""Parts that a picture and a page share: escaped text, links, colours, and the bars of a row."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from html import escape
from typing import Final

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.links import safe_link
from gitlab_jobs_async.cli.waterfall.rows import Chart
from gitlab_jobs_async.cli.waterfall.words import describe, ticks
from gitlab_jobs_async.models.timelines import (
    PhaseKind,
    TimelineAttempt,
    TimelineJob,
    TimelinePhase,
)

# Valid in Python, but not in XML 1.0: https://www.w3.org/TR/xml/#charsets.
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_STATUSES: Final = {
    "success": "success",
    "failed": "failed",
    "running": "active",
    "pending": "active",
    "canceling": "canceled",
    "canceled": "canceled",
    "skipped": "canceled",
}

# Thickness tells phases apart, too, for readers who see no colours: top and height of the bar.
_BARS: Final[dict[PhaseKind, tuple[int, int]]] = {
    "waiting": (10, 2),
    "held": (9, 4),
    "delayed": (9, 4),
    "manual": (9, 4),
    "retry": (9, 4),
    "queued": (7, 8),
    "running": (3, 16),
}
ROW: Final = 22
"""Height of a row in pixels."""

_LAST_TICK: Final = 0.9
_MARGIN: Final = 100 / 1000
"""Part of a percent that the narrowest phase gets, so that it can be seen."""

COLOURS: Final = """
:root{--ink:#28272d;--dim:#626168;--line:#dcdcde;--paper:#ffffff;--band:#f6f6f8;--link:#0b5cad;
--success:#2a8a4c;--failed:#d1302b;--active:#2f74c8;--canceled:#8a8991;--waiting:#b4b3bb;
--queued:#d29922;--manual:#2a9a9a;--held:#9a5fc4;--critical:#28272d}
@media (prefers-color-scheme:dark){:root{--ink:#ececef;--dim:#a4a3a8;--line:#3a3940;
--paper:#18171d;--band:#211f27;--link:#7db5f0;--success:#3fb068;--failed:#f0625c;--active:#5b9be8;
--canceled:#89888d;--waiting:#5e5d66;--queued:#dba93a;--manual:#3fbdbd;--held:#b98ae0;
--critical:#ececef}}
"""
"""The colours of both themes; text has a contrast of 4.5 at least."""

BAR_STYLES: Final = """
.waiting{fill:var(--waiting)}.queued{fill:var(--queued)}.held,.retry{fill:var(--held)}
.manual,.delayed{fill:var(--manual)}.running{fill:var(--active)}
.running.success{fill:var(--success)}
.running.failed{fill:var(--failed)}.running.canceled{fill:var(--canceled)}
.end{text-anchor:end}
.critical .running{stroke:var(--critical);stroke-width:2}.tick{stroke:var(--line)}
a:hover rect,a:focus rect{opacity:.75}a:focus{outline:2px solid var(--link)}
"""


INKS: Final = {"green": "success-ink", "red": "failed-ink"}
"""Classes of the symbols of statuses, by their colours on a terminal."""


def text(value: object) -> str:
    """Return a server's text for the content or an attribute of XML and HTML."""
    return escape(_NOT_XML.sub("", clean(value)))


def link(url: str, inner: str, label: str) -> str:
    """Return *inner* as a link, if *url* is one that a browser may open; *label* is its name."""
    target = safe_link(url)
    if target is None:
        return inner
    return (
        f'<a href="{text(target)}" target="_blank" rel="noopener noreferrer" '
        f'aria-label="{text(label)}">{inner}</a>'
    )


def grid(chart: Chart, most: int) -> str:
    """Return the vertical lines of a row."""
    lines = (
        f'<line class="tick" x1="{_percent(at, chart)}" x2="{_percent(at, chart)}" '
        f'y1="0" y2="{ROW}"/>'
        for at, _ in ticks(chart.seconds, most)
    )
    return "".join(lines)


def labels(chart: Chart, most: int) -> str:
    """Return the labels of the axis, at its end to the left of their lines."""
    return "".join(
        f'<text class="{"dim" if at < _LAST_TICK * chart.seconds else "dim end"}" '
        f'x="{_percent(at, chart)}" dx="{3 if at < _LAST_TICK * chart.seconds else -3}" '
        f'y="15">{label}</text>'
        for at, label in ticks(chart.seconds, most)
    )


def bars(chart: Chart, jobs: Sequence[TimelineJob]) -> str:
    """Return the bars of the attempts of *jobs*, each attempt a link with a title."""
    attempts = (attempt for job in jobs for attempt in job.attempts)
    return "".join(_attempt(chart, attempt) for attempt in attempts if attempt.phases)


def _attempt(chart: Chart, attempt: TimelineAttempt) -> str:
    status = _STATUSES.get(str(attempt.job.status), "canceled")
    words = describe(attempt)
    rects = "".join(
        _rect(chart, phase, status) for phase in attempt.phases if _is_visible(chart, phase)
    )
    inner = f"<title>{text(words)}</title>{rects}"
    mark = ' class="critical"' if attempt.is_critical else ""
    return f"<g{mark}>{link(attempt.job.web_url, inner, words)}</g>"


def _rect(chart: Chart, phase: TimelinePhase, status: str) -> str:
    top, height = _BARS[phase.kind]
    kinds = f"running {status}" if phase.kind == "running" else phase.kind
    wide = max(_MARGIN, 100 * phase.seconds / chart.seconds) if chart.seconds else 100
    return (
        f'<rect class="{kinds}" x="{_percent(phase.start, chart)}" y="{top}" '
        f'width="{wide:.3f}%" height="{height}"/>'
    )


def _percent(at: float, chart: Chart) -> str:
    return f"{100 * at / chart.seconds if chart.seconds else 0:.3f}%"


LEGEND: Final[tuple[tuple[PhaseKind, str, str], ...]] = (
    ("waiting", "", "waiting for earlier jobs"),
    ("manual", "", "waiting for a user, or delayed"),
    ("held", "", "held"),
    ("queued", "", "queued for a runner"),
    ("running", "success", "running, passed"),
    ("running", "failed", "failed"),
    ("running", "canceled", "canceled"),
    ("running", "active", "running now"),
)


def legend_of(chart: Chart) -> Iterator[tuple[str, str]]:
    """Yield the bar and the words of each kind of phase that occurs in *chart*."""
    shown = set(_kinds(chart))
    for kind, status, words in LEGEND:
        if (kind, status) in shown:
            top, height = _BARS[kind]
            yield (
                f'<rect class="{kind} {status}" x="0" y="{top}" width="26" height="{height}"/>',
                words,
            )


def _is_visible(chart: Chart, phase: TimelinePhase) -> bool:
    return phase.kind == "running" or phase.seconds >= chart.seconds / 1000


def _kinds(chart: Chart) -> Iterator[tuple[PhaseKind, str]]:
    for attempt in (attempt for one in chart.timelines for attempt in one.attempts()):
        status = _STATUSES.get(str(attempt.job.status), "canceled")
        for phase in filter(partial(_is_visible, chart), attempt.phases):
            kind: PhaseKind = "manual" if phase.kind == "delayed" else phase.kind
            yield kind, status if kind == "running" else ""


def share_bar(kind: PhaseKind, share: float) -> str:
    """Return a bar that is as wide as its share, and never too narrow to be seen."""
    return (
        f'<rect class="{kind} success" x="0" y="5" width="{max(0.3, 100 * share):.2f}%" '
        'height="12"/>'
    )
