"""A waterfall as a picture in SVG: one file that loads nothing, for light and dark pages."""

from collections.abc import Iterator
from typing import Final

from attrs import define, field
from rich.cells import cell_len, set_cell_size

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.rows import status_symbol
from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.cli.waterfall.drawing import (
    BAR_STYLES,
    COLOURS,
    INKS,
    ROW,
    bars,
    grid,
    labels,
    legend_of,
    link,
    share_bar,
    text,
)
from gitlab_jobs_async.cli.waterfall.rows import (
    Chart,
    FoldedRow,
    JobRow,
    PipelineRow,
    Row,
    StageRow,
)
from gitlab_jobs_async.cli.waterfall.words import (
    basis_words,
    headline,
    path_lines,
    spent,
    time_words,
)

_WIDTH: Final = 1000
_EDGE: Final = 16
_NAMES: Final = 290
"""Pixels of the names, which are cut at their end."""

_TIMES: Final = 64
_TICKS: Final = 8
_PATH_CELLS: Final = 130
_LANE: Final = _WIDTH - 2 * _EDGE - _NAMES - _TIMES
_STYLES: Final = f"""{COLOURS}{BAR_STYLES}
svg{{font:13px ui-sans-serif,system-ui,sans-serif}}text{{fill:var(--ink)}}.dim{{fill:var(--dim)}}
.paper{{fill:var(--paper)}}.band{{fill:var(--band)}}.strong{{font-weight:600}}
.title{{font-size:16px;font-weight:600}}.small{{font-size:12px}}.name{{unicode-bidi:isolate}}
.success-ink{{fill:var(--success)}}.failed-ink{{fill:var(--failed)}}
"""


def timeline_svg(chart: Chart) -> str:
    """Return the picture, 1000 pixels wide."""
    picture = _Picture(chart)
    body = "".join(picture.parts())
    title = text(headline(chart))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{picture.y}" '
        f'viewBox="0 0 {_WIDTH} {picture.y}" aria-label="{title}">'
        f"<title>{title}</title><style>{_STYLES}</style>"
        f'<rect class="paper" width="100%" height="100%"/>{body}</svg>\n'
    )


@define(eq=False, repr=False)
class _Picture:
    """The parts of a picture from top to bottom; *y* is where the next one begins."""

    chart: Chart
    y: int = field(default=_EDGE, init=False)

    def parts(self) -> Iterator[str]:
        """Yield all parts."""
        yield self._head()
        yield self._lane(labels(self.chart, _TICKS))
        self.y += ROW
        lines = grid(self.chart, _TICKS)
        for index, row in enumerate(self.chart.rows):
            yield from self._row(row, lines, is_even=index % 2 == 0)
        self.y += 10
        yield from self._legend()
        yield from self._summary()
        self.y += _EDGE

    def _head(self) -> str:
        root = self.chart.root
        pipeline = root.pipeline
        title = headline(self.chart)
        inner = f'<text class="title" x="{_EDGE}" y="{self.y + 14}">{text(title)}</text>'
        words = link(pipeline.web_url, inner, title)
        about = f"{clean(pipeline.status)}, {length(root.seconds)}, {clean(pipeline.sha)[:8]}"
        self.y += 22
        line = f'<text class="dim" x="{_EDGE}" y="{self.y + 14}">{text(about)}</text>'
        self.y += 26
        return words + line

    def _lane(self, inner: str) -> str:
        left = _EDGE + _NAMES
        return f'<svg x="{left}" y="{self.y}" width="{_LANE}" height="{ROW}">{inner}</svg>'

    def _row(self, row: Row, lines: str, *, is_even: bool) -> Iterator[str]:
        if is_even:
            yield f'<rect class="band" x="0" y="{self.y}" width="{_WIDTH}" height="{ROW}"/>'
        name, time = _name(row), time_words(row)
        inner = bars(self.chart, row.jobs)
        yield f'<svg x="{_EDGE}" y="{self.y}" width="{_NAMES - 8}" height="{ROW}">{name}</svg>'
        yield self._lane(lines + inner)
        right = _WIDTH - _EDGE
        yield f'<text class="dim small end" x="{right}" y="{self.y + 15}">{time}</text>'
        self.y += ROW

    def _legend(self) -> Iterator[str]:
        left = _EDGE
        entries = [*legend_of(self.chart), (_CRITICAL, "critical path")]
        for bar, words in entries:
            wide = 40 + 7 * len(words)
            if left + wide > _WIDTH - _EDGE:
                left = _EDGE
                self.y += ROW
            yield f'<svg x="{left}" y="{self.y}" width="{wide}" height="{ROW}">{bar}'
            yield f'<text class="small" x="34" y="15">{words}</text></svg>'
            left += wide + 12
        self.y += ROW + 12

    def _summary(self) -> Iterator[str]:
        root = self.chart.root
        parts = spent(root)
        if not parts:
            return
        words = f"Where the time went: {length(root.seconds)} on the critical path"
        yield f'<text class="strong" x="{_EDGE}" y="{self.y + 14}">{words}</text>'
        self.y += ROW
        for index, line in enumerate(path_lines(self.chart, _PATH_CELLS)):
            path = f"◆ {text(line)}" if index == 0 else text(line)
            yield f'<svg x="{_EDGE}" y="{self.y}" width="{_WIDTH - 2 * _EDGE}" height="{ROW}">'
            yield f'<text class="small" y="15">{path}</text></svg>'
            self.y += ROW
        for part in parts:
            yield f'<text class="small" x="{_EDGE}" y="{self.y + 15}">{part.words}</text>'
            yield (
                f'<text class="small end" x="{_EDGE + _NAMES - 12}" y="{self.y + 15}">'
                f"{length(part.seconds)}, {part.share:.0%}</text>"
            )
            yield self._lane(share_bar(part.kind, part.share))
            self.y += ROW
        yield (
            f'<text class="dim small" x="{_EDGE}" y="{self.y + 15}">'
            f"The critical path was found {basis_words(root)}.</text>"
        )
        self.y += ROW


_DEEPEST: Final = 6
_CRITICAL: Final = '<text class="strong" x="8" y="15">◆</text>'


def _name(row: Row) -> str:
    """Return the name of a row."""
    left = 12 * min(row.depth, _DEEPEST)
    if isinstance(row, StageRow):
        return f'<text class="strong" x="{left}" y="15">{text(row.name)}</text>'
    if isinstance(row, PipelineRow):
        pipeline = row.timeline.pipeline
        words = f"↳ pipeline {pipeline.id} {clean(pipeline.name or pipeline.ref)}"
        inner = f'<text class="dim" x="{left}" y="15">{text(words)}</text>'
        return link(pipeline.web_url, inner, words)
    if isinstance(row, FoldedRow):
        return f'<text class="dim small" x="{left + 34}" y="15">{text(row.words)}</text>'
    return _job_name(row, left)


def _job_name(row: JobRow, left: int) -> str:
    job = row.job.latest.job
    symbol, colour = status_symbol(job.status)
    strong = ' class="name strong"' if row.job.is_critical else ' class="name"'
    mark = "◆" if row.job.is_critical else ""
    retries = len(row.job.attempts) - 1
    room = (_NAMES - 50 - left) // 8 - len(str(job.id)) - 4 * bool(retries)
    again = f'<tspan class="dim"> ↻{retries}</tspan>' if retries else ""
    inner = (
        f"<title>{text(f'{job.name} {job.id}')}</title>"
        f'<text y="15"><tspan class="strong" x="{left}">{mark}</tspan>'
        f'<tspan class="{INKS.get(colour, "dim")}" x="{left + 16}">{symbol}</tspan>'
        f'<tspan{strong} x="{left + 34}">{text(_cut(clean(job.name), room))}</tspan>{again}'
        f'<tspan class="dim small"> {job.id}</tspan></text>'
    )
    return link(job.web_url, inner, f"{clean(job.name)}, job {job.id}")


def _cut(name: str, cells: int) -> str:
    """Cut *name* to about as many cells of a common font."""
    return name if cell_len(name) <= cells else f"{set_cell_size(name, max(1, cells - 1))}…"
