"""Poll the statuses of many jobs or pipelines: those of one project by one listing.

A single job is requested by its id. As soon as two of a project are polled, a listing of the
unfinished ones shows both. All polls of the project are aligned with it: the first one sends it,
and the others take its rows. A job that is missing there is requested by its id, since only that
shows its end. Where the listing is refused or keeps failing, each job is requested by its id: an
error of the listing says nothing about a job.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import ceil, inf
from typing import Generic, TypeVar

from attrs import define, field

from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.errors import GitLabError, RateLimitedError, ResponseError
from gitlab_jobs_async.polling.listed import ListedRows, Subject
from gitlab_jobs_async.polling.pace import PaceShare, PollPace
from gitlab_jobs_async.polling.policy import PollPolicy
from gitlab_jobs_async.polling.sources import StatusSource
from gitlab_jobs_async.retry.policy import is_transient

T = TypeVar("T", bound=Subject)


_REFUSED_FOR, _FAILED_FOR = 3600.0, 60.0
"""Seconds without a listing after it was refused, or has failed for the second time in a row."""

_FAILURE_AGE = 1.0
"""Seconds for which the error of a listing answers further polls, in place of another request."""


@define(eq=False, repr=False)
class _Listing:
    """A listing in flight; *is_cancelled* if its sender was."""

    ended: asyncio.Event = field(factory=asyncio.Event)
    is_cancelled: bool = False


@define(eq=False, repr=False)
class _Group(Generic[T]):
    """The polls of one project, named as in requests; its last listing took *requests*.

    Until *single_until*, each subject is requested by its id.
    """

    project: ProjectId
    rows: ListedRows[T] = field(factory=ListedRows)
    shares: list["StatusShare[T]"] = field(factory=list, init=False)
    paces: tuple[PaceShare, ...] = field(default=(), init=False)
    requests: int = field(default=1, init=False)
    listing: _Listing | None = field(default=None, init=False)
    failure: tuple[GitLabError, float] | None = field(default=None, init=False)
    single_until: float = field(default=-inf, init=False)

    def on_error(self, error: GitLabError, now: float) -> None:
        """Request each subject by its id after a refusal, or a second failure in a row."""
        has_failed, self.failure = self.failure is not None, (error, now)
        # A rate limit holds for all requests, so that more of them would not help.
        if isinstance(error, ResponseError) and not is_transient(error):
            self.single_until = now + _REFUSED_FOR
        elif has_failed and not isinstance(error, RateLimitedError):
            self.single_until = now + _FAILED_FOR

    @property
    def interval(self) -> float:
        """Seconds between two listings at present."""
        return max((pace.interval for pace in self.paces), default=0.0)


@define(eq=False, repr=False)
class SharedStatuses(Generic[T]):
    """The polled statuses of one client: of jobs, or of pipelines.

    A listing counts in all *paces*.
    """

    _clock: Clock
    _source: StatusSource[T]
    _paces: tuple[PollPace, ...]
    _groups: dict[ProjectId, _Group[T]] = field(factory=dict, init=False)
    _numbers: dict[str, int] = field(factory=dict, init=False)
    _by_id: dict[int, list["StatusShare[T]"]] = field(factory=dict, init=False)

    def now(self) -> float:
        """Return the time of the client's clock."""
        return self._clock.now()

    @contextmanager
    def join(
        self, project: ProjectId, subject_id: int, policy: PollPolicy
    ) -> Iterator["StatusShare[T]"]:
        """Poll one subject until the end of the block."""
        known = self._numbers.get(project, project) if isinstance(project, str) else project
        share = StatusShare(self, project, subject_id, policy)
        self._enter(share, self._groups.setdefault(known, _Group(known)))
        self._by_id.setdefault(subject_id, []).append(share)
        try:
            yield share
        finally:
            self._leave(share)
            same = self._by_id[subject_id]
            same.remove(share)
            if not same:
                del self._by_id[subject_id]

    def learn(self, rows: Iterable[T], at: float) -> None:
        """Take *rows* that a request sent *at* that time has returned for another purpose."""
        for row in rows if self._by_id else ():
            for share in self._by_id.get(row.id, ()):
                share.observe(row, at)

    def learn_number(self, share: "StatusShare[T]", number: int) -> None:
        """Poll a project that is named by its path together with the polls by its *number*."""
        group = share.group
        if not number or not isinstance(group.project, str):
            return
        self._numbers[group.project] = number
        other = self._groups.setdefault(number, _Group(number))
        for member in list(group.shares):
            self._leave(member)
            self._enter(member, other)

    async def get(self, share: "StatusShare[T]") -> T:
        """Request one subject."""
        sent_at = self._clock.now()
        row = await self._source.get(share.project, share.subject_id)
        self.learn_number(share, row.project_id)
        self.learn([row], sent_at)
        return row

    async def listed(self, share: "StatusShare[T]") -> T | None:
        """Return the row of a fresh listing; `None` if it is missing, or the listing is refused."""
        group = share.group
        while not group.rows.is_fresh(self._clock.now(), group.interval):
            if self._clock.now() < group.single_until:
                return None
            if group.failure is not None and self._clock.now() < group.failure[1] + _FAILURE_AGE:
                raise group.failure[0].with_traceback(None)
            if group.listing is None:
                await self._list(group)
                if group.failure is None:
                    break
                continue
            listing = group.listing
            await listing.ended.wait()
            if group.failure is None and not listing.is_cancelled:
                break
        return group.rows.shown(share.subject_id)

    async def _list(self, group: _Group[T]) -> None:
        listing = group.listing = _Listing(is_cancelled=True)
        sent_at = self._clock.now()
        try:
            polled = group.rows
            rows = await self._source.list_open(group.project, polled.lowest, polled.max_pages)
            group.failure, listing.is_cancelled = None, False
        except GitLabError as error:
            listing.is_cancelled = False
            group.on_error(error, self._clock.now())
            self._claim(group)
            return
        finally:
            # After a cancellation, the next one of those that wait sends it again.
            group.listing = None
            listing.ended.set()
        group.rows.update(rows, sent_at)
        group.requests = max(1, ceil(len(rows) / PER_PAGE))
        self._claim(group)
        self.learn(rows, sent_at)

    def _enter(self, share: "StatusShare[T]", group: _Group[T]) -> None:
        share.group = group
        group.shares.append(share)
        group.rows.add(share.subject_id)
        self._claim(group)

    def _leave(self, share: "StatusShare[T]") -> None:
        group = share.group
        group.shares.remove(share)
        group.rows.remove(share.subject_id)
        self._claim(group)
        if not group.shares:
            self._groups.pop(group.project, None)
            for path in [path for path, known in self._numbers.items() if known == group.project]:
                del self._numbers[path]

    def _claim(self, group: _Group[T]) -> None:
        """Announce the listings of *group*, as frequent as its most frequent poll."""
        for pace in group.paces:
            pace.claim(0.0)
        group.paces = ()
        if group.rows.is_shared and self._clock.now() >= group.single_until:
            policy = min((share.policy for share in group.shares), key=lambda one: one.interval)
            group.paces = tuple(PaceShare(pace, policy) for pace in self._paces)
            for pace in group.paces:
                pace.claim(float(group.requests))


@define(eq=False, repr=False)
class StatusShare(Generic[T]):
    """The polls of one subject; *observed* is its newest row, and when that was requested."""

    _statuses: SharedStatuses[T]
    project: ProjectId
    subject_id: int
    policy: PollPolicy
    group: _Group[T] = field(init=False)
    observed: tuple[T, float] | None = field(default=None, init=False)

    @property
    def is_shared(self) -> bool:
        """Whether a listing shows the status, so that a poll costs no request of its own."""
        rows, now = self.group.rows, self._statuses.now()
        may_list = rows.is_shared and now >= self.group.single_until
        return may_list and not rows.is_missing(self.subject_id, now)

    def next_at(self, now: float) -> float:
        """Return the time of the next listing, *now* at the earliest.

        It is *now* if the last listing, perhaps sent by another poll, did not show the subject:
        `poll` then requests it by its id.
        """
        rows = self.group.rows
        if rows.sent_at is None:
            return now
        is_known = self.observed is not None and self.observed[1] >= rows.sent_at
        if rows.shown(self.subject_id) is None and not is_known:
            return now
        return max(now, rows.sent_at + self.group.interval)

    async def poll(self, *, single: bool = False) -> T:
        """Return the subject as it is now; *single* requests it by its id in any case.

        Raises:
            GitLabError: the request fails.
        """
        row = None
        if self.is_shared and not single:
            row = await self._statuses.listed(self)
        return await self._statuses.get(self) if row is None else row

    def observe(self, row: T, at: float) -> None:
        """Take a *row* that was requested *at* that time."""
        if self.observed is None or self.observed[1] <= at:
            self.observed = row, at
