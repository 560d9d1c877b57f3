"""Rows of the full screen: projects, pipelines, stages and jobs, folded and filtered. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

from attrs import define, field, frozen

from gitlab_jobs_async.cli.fullscreen.folding import Folding, RowKey
from gitlab_jobs_async.cli.fullscreen.overview import Entry, Overview
from gitlab_jobs_async.cli.fullscreen.query import Query
from gitlab_jobs_async.cli.fullscreen.tree_row import Row
from gitlab_jobs_async.cli.views.board import JobRow
from gitlab_jobs_async.models.jobs import Bridge, JobBasic
from gitlab_jobs_async.models.statuses import JobStatus

_DEEPEST: Final = 8
_LEAST_DIGITS: Final = 6
_SYMBOLS: Final = 6
_LONGEST_NAME: Final = 72
_DIGITS: Final = re.compile(r"(\d+)")
_QUIET: Final = frozenset({JobStatus.SUCCESS, JobStatus.CANCELED, JobStatus.SKIPPED})


@frozen
class Tree:
    """The rows, and the number of jobs.

    Attributes:
        rows: the rows that are shown.
        counts: all jobs by status.
        matching: number of jobs that pass the filter.
        id_width: digits of the longest id.
        name_width: cells of the longest name with its indent.
    """

    rows: Sequence[Row]
    counts: Counter[JobStatus]
    matching: int
    id_width: int
    name_width: int


@define
class _Builder:
    overview: Overview
    folding: Folding
    query: Query
    children: dict[int, list[Entry]]
    is_single: bool
    newest: Entry | None
    kept: RowKey | None
    counts: Counter[JobStatus] = field(factory=Counter)
    matching: int = 0
    _seen: set[int] = field(factory=set)

    def project(self, path: str, entries: Iterable[Entry]) -> Iterator[Row]:
        """Yield the rows of a project, without a line for the project if it is the only one."""
        if self.is_single:
            for entry in entries:
                yield from self.pipeline(entry, ())
            return
        key: RowKey = ("project", path)
        below = [row for entry in entries for row in self.pipeline(entry, (key,))]
        if below:
            is_open = self._is_open(key, default=True)
            jobs = [job for row in below if row.kind == "pipeline" for job in row.jobs]
            yield Row(key=key, kind="project", is_open=is_open, project=path, jobs=jobs)
            if is_open:
                yield from below

    def pipeline(self, entry: Entry, enclosing: tuple[RowKey, ...]) -> Iterator[Row]:
        """Yield the rows of a pipeline, or none if the filter lets no job pass."""
        if entry.id is not None:
            if entry.id in self._seen:  # a malformed chain of parents may be a cycle
                return
            self._seen.add(entry.id)
        every = [] if entry.row is None else list(entry.row.jobs.values())
        self.counts.update(row.job.status for row in every)
        shown = self._matching(entry, every)
        key: RowKey = ("pipeline", *entry.key)
        inner = (*enclosing, key)
        below = self._downstream(entry, inner, shown)
        is_found = shown or any(below.values()) or self.query.matches_listed(entry)
        if self.query.words and not (is_found or self._is_kept(entry)):
            return
        is_default = self._is_lively(entry)
        is_open = entry.row is not None and self._is_open(key, default=is_default)
        yield Row(
            key=key, kind="pipeline", enclosing=enclosing, is_open=is_open,
            project=entry.project, entry=entry, jobs=shown,
        )  # fmt: skip
        if is_open:
            yield from self._stages(entry, shown, inner, below)
            # Of trigger jobs that are not shown.
            yield from chain.from_iterable(below.values())

    def _downstream(
        self, entry: Entry, enclosing: tuple[RowKey, ...], jobs: Iterable[JobRow]
    ) -> dict[int, list[Row]]:
        """Return the rows of each downstream pipeline, which are below its trigger job."""
        children = [] if entry.id is None else self.children.get(entry.id, [])
        if not children:
            return {}
        triggers = {
            downstream_of(row.job): (
                ("stage", *entry.key, row.job.stage), ("job", *entry.key, row.job.name),
            )
            for row in jobs
        }  # fmt: skip
        return {
            child.id or 0: list(
                self.pipeline(child, (*enclosing, *triggers.get(child.id or 0, ())))
            )
            for child in children
        }

    def _stages(
        self,
        entry: Entry,
        jobs: Sequence[JobRow],
        enclosing: tuple[RowKey, ...],
        below: dict[int, list[Row]],
    ) -> Iterator[Row]:
        """Yield stages and jobs, and take the downstream pipelines of trigger jobs from *below*."""
        stages: dict[str, list[JobRow]] = {}
        for row in jobs:
            stages.setdefault(row.job.stage, []).append(row)
        for stage in sorted(stages, key=lambda name: self.overview.stage_rank(entry, name)):
            key: RowKey = ("stage", *entry.key, stage)
            is_open = self._is_open(key, default=True)
            yield Row(
                key=key, kind="stage", enclosing=enclosing, is_open=is_open, stage=stage,
                project=entry.project, entry=entry, jobs=stages[stage],
            )  # fmt: skip
            inner = (*enclosing, key)
            for row in sorted(stages[stage], key=lambda row: natural(row.job.name)):
                downstream = below.pop(downstream_of(row.job), ())
                if is_open:
                    yield Row(
                        key=("job", *entry.key, row.job.name), kind="job", enclosing=inner,
                        project=entry.project, entry=entry, stage=stage, job=row,
                    )  # fmt: skip
                    yield from downstream

    def _matching(self, entry: Entry, jobs: list[JobRow]) -> list[JobRow]:
        if not self.query.words:
            self.matching += len(jobs)
            return jobs
        shown: list[JobRow] = []
        for row in jobs:
            is_found = self.query.matches(entry.project, row)
            self.matching += is_found
            if is_found or ("job", *entry.key, row.job.name) == self.kept:
                shown.append(row)
        return shown

    def _is_kept(self, entry: Entry) -> bool:
        """Return whether the selected row is one of this pipeline."""
        key, kept = tuple(entry.key), self.kept or ()
        return kept[:1] != ("project",) and kept[1 : len(key) + 1] == key

    def _is_open(self, key: RowKey, *, default: bool) -> bool:
        # A filter shows what it finds.
        return bool(self.query.words) or self.folding.is_open(key, default=default)

    def _is_lively(self, entry: Entry) -> bool:
        return entry.status not in _QUIET or entry is self.newest


def build_tree(
    overview: Overview, folding: Folding, query: Query, now: float, *, kept: RowKey | None = None
) -> Tree:
    """Return the rows to show; projects and pipelines with the newest pipeline first.

    The job or pipeline *kept* is shown even if the filter hides it: the next key is meant for it.

    The order does not depend on statuses, so that rows keep their places while jobs run.
    """
    entries = overview.entries(now)
    known = {entry.id for entry in entries}
    children: dict[int, list[Entry]] = {}
    projects: dict[str, list[Entry]] = {}
    for entry in entries:
        parent = overview.parent_of(entry)
        if parent is not None and parent in known and _is_below(overview, entry, parent):
            children.setdefault(parent, []).append(entry)
        else:
            projects.setdefault(entry.project, []).append(entry)
    is_single = len(projects) == 1
    newest = next(iter(projects.values()))[0] if is_single else None
    builder = _Builder(overview, folding, query, children, is_single, newest, kept)
    rows = [row for path, some in projects.items() for row in builder.project(path, some)]
    newest_id = max((row.job.job.id for row in rows if row.job is not None), default=0)
    digits = len(str(max(newest_id, *(entry.id or 0 for entry in entries), 0)))
    names = (2 * row.depth + _SYMBOLS + len(row.title) for row in rows)
    width = min(_LONGEST_NAME, max(names, default=0))
    return Tree(rows, builder.counts, builder.matching, max(_LEAST_DIGITS, digits), width)


def _is_below(overview: Overview, entry: Entry, parent: int) -> bool:
    """Return whether the chain of parents ends, so that the pipeline is shown below them."""
    by_id = {row.id: row for row in overview.board.pipelines.values()}
    for _ in range(_DEEPEST):
        if parent == entry.id:
            return False
        row = by_id.get(parent)
        above = None if row is None else overview.board.parent_of(row)
        if above is None:
            return True
        parent = above
    return False


@lru_cache(maxsize=65536)
def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Return a key that sorts "test 2" before "test 10"."""
    parts = _DIGITS.split(name.lower())
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


def downstream_of(job: JobBasic) -> int:
    """Return the id of the pipeline that a trigger job has created, or 0."""
    if isinstance(job, Bridge) and job.downstream_pipeline is not None:
        return job.downstream_pipeline.id
    return 0
