"""A waterfall as a page in HTML: one file that loads nothing, for both themes and for paper."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.rows import status_symbol
from gitlab_jobs_async.cli.views.times import length, utc_time
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
    PipelineRow,
    Row,
    StageRow,
)
from gitlab_jobs_async.cli.waterfall.words import (
    basis_words,
    headline,
    job_time_words,
    path_words,
    spent,
    time_words,
)
from gitlab_jobs_async.models.timelines import PipelineTimeline

_TICKS: Final = 6
_DEEPEST: Final = 6
_STYLES: Final = f"""{COLOURS}{BAR_STYLES}
:root{{color-scheme:light dark}}
body{{margin:0 auto;padding:1rem;max-width:90rem;background:var(--paper);color:var(--ink);
font:14px/1.4 ui-sans-serif,system-ui,sans-serif}}
h1{{font-size:1.2rem;margin:0;overflow-wrap:anywhere}}h2{{font-size:1rem;margin:1.2rem 0 .3rem}}
a{{color:var(--link);text-decoration:none}}a:hover,a:focus{{text-decoration:underline}}
.about,.dim{{color:var(--dim)}}text.dim{{fill:var(--dim)}}
svg{{display:block;width:100%;height:{ROW}px;overflow:hidden;
font:12px ui-sans-serif,system-ui,sans-serif}}
.chart{{margin-top:1rem}}
.row{{display:grid;grid-template-columns:minmax(0,20rem) minmax(0,1fr) 4.5rem;gap:.5rem;
align-items:center;padding:0 .4rem;border-radius:4px}}
.row:nth-child(even){{background:var(--band)}}
.name{{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}}
.name bdi{{unicode-bidi:isolate}}
.time{{text-align:right;color:var(--dim);font-variant-numeric:tabular-nums;white-space:nowrap}}
.stage{{font-weight:600}}.critical-name{{font-weight:600}}
.mark{{display:inline-block;width:1.1em}}
.success-ink{{color:var(--success)}}.failed-ink{{color:var(--failed)}}
.d1{{padding-left:1rem}}.d2{{padding-left:2rem}}.d3{{padding-left:3rem}}.d4{{padding-left:4rem}}
.d5{{padding-left:5rem}}.d6{{padding-left:6rem}}
.legend{{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;margin:1rem 0;padding:0;list-style:none}}
.legend li{{display:flex;align-items:center;gap:.4rem}}.legend svg{{width:26px}}
.path{{overflow-wrap:anywhere}}
.spent{{display:grid;grid-template-columns:max-content max-content minmax(0,30rem);gap:0 1rem;
align-items:center;margin:.5rem 0}}.spent dt,.spent dd{{margin:0}}
@media (max-width:700px){{.row{{grid-template-columns:minmax(0,1fr) 4.5rem;row-gap:0;
padding-bottom:.3rem}}
.row>.lane{{grid-column:1/-1;grid-row:2}}.axis .name,.axis .time,
.plain>.lane{{display:none}}
.spent{{grid-template-columns:minmax(0,1fr) max-content}}.spent .lane{{grid-column:1/-1}}}}
@media print{{:root{{--ink:#000;--dim:#444;--line:#ccc;--paper:#fff;--band:#fff;--link:#000;
--critical:#000;--waiting:#aaa}}body{{padding:0;max-width:none;font-size:11px;
print-color-adjust:exact;-webkit-print-color-adjust:exact}}.row{{break-inside:avoid}}}}
"""
_HASH: Final = b64encode(sha256(_STYLES.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
)


def timeline_html(chart: Chart) -> str:
    """Return the page. Its policy forbids scripts and whatever would be loaded."""
    body = "".join([*_head(chart.root), *_rows(chart), *_legend(chart), *_summary(chart)])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{text(headline(chart))}</title><style>{_STYLES}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _head(root: PipelineTimeline) -> Iterator[str]:
    pipeline = root.pipeline
    symbol, colour = status_symbol(pipeline.status)
    name = f" ({text(pipeline.name)})" if pipeline.name else ""
    title = f"Pipeline {pipeline.id} of <bdi>{text(pipeline.ref)}</bdi>{name}"
    yield f"<h1>{link(pipeline.web_url, title, f'Pipeline {pipeline.id}')}</h1>"
    yield (
        f'<p class="about"><span class="{INKS.get(colour, "dim")}">{symbol} '
        f"{text(pipeline.status)}</span>, {length(root.seconds)}, commit "
        f"{text(pipeline.sha[:8])}, created {utc_time(root.start)}</p>"
    )


def _rows(chart: Chart) -> Iterator[str]:
    lines = grid(chart, _TICKS)
    yield '<div class="chart"><div class="row axis"><div class="name"></div>'
    yield f'<div class="lane"><svg aria-hidden="true">{labels(chart, _TICKS)}</svg></div>'
    yield '<div class="time"></div></div>'
    for row in chart.rows:
        name, time = _name(row), time_words(row)
        lane = f'<svg role="group">{lines}{bars(chart, row.jobs)}</svg>'
        stage = " stage plain" if isinstance(row, StageRow) else "" if row.jobs else " plain"
        yield f'<div class="row{stage}"><div class="name d{min(row.depth, _DEEPEST)}">{name}</div>'
        yield f'<div class="lane">{lane}</div><div class="time">{time}</div></div>'
    yield "</div>"


def _name(row: Row) -> str:
    """Return the name of a row."""
    if isinstance(row, StageRow):
        return f"<bdi>{text(row.name)}</bdi>"
    if isinstance(row, PipelineRow):
        pipeline = row.timeline.pipeline
        words = f"↳ pipeline {pipeline.id} <bdi>{text(pipeline.name or pipeline.ref)}</bdi>"
        return link(pipeline.web_url, words, f"Pipeline {pipeline.id}")
    if isinstance(row, FoldedRow):
        return f'<span class="dim">{text(row.words)}</span>'
    job = row.job.latest.job
    symbol, colour = status_symbol(job.status)
    is_critical, retries = row.job.is_critical, len(row.job.attempts) - 1
    strong = ' class="critical-name"' if is_critical else ""
    name = link(
        job.web_url, f"<bdi{strong}>{text(job.name)}</bdi>", f"{clean(job.name)}, job {job.id}"
    )
    again = f' <span class="dim">↻{retries}</span>' if retries else ""
    return (
        f'<span title="{text(job.name)}"><span class="mark">{"◆" if is_critical else ""}</span>'
        f'<span class="mark {INKS.get(colour, "dim")}" title="{text(job.status)}">{symbol}</span>'
        f'{name}{again} <span class="dim">{job.id}</span></span>'
    )


def _legend(chart: Chart) -> Iterator[str]:
    yield '<ul class="legend">'
    for bar, words in legend_of(chart):
        yield f'<li><svg aria-hidden="true">{bar}</svg>{words}</li>'
    yield "<li>◆ critical path</li></ul>"


def _summary(chart: Chart) -> Iterator[str]:
    root = chart.root
    parts = spent(root)
    if not parts:
        yield "<p>No job has run.</p>"
        return
    yield f"<h2>Where the time went: {length(root.seconds)} on the critical path</h2>"
    yield f'<p class="path">◆ <bdi>{text(path_words(chart))}</bdi></p><dl class="spent">'
    for part in parts:
        bar = share_bar(part.kind, part.share)
        yield f"<dt>{part.words}</dt><dd>{length(part.seconds)}, {part.share:.0%}</dd>"
        yield f'<dd class="lane"><svg aria-hidden="true">{bar}</svg></dd>'
    yield f'</dl><p class="dim">The critical path was found {basis_words(root)}. '
    yield f"All jobs together: {text(', '.join(job_time_words(chart)))}.</p>"
