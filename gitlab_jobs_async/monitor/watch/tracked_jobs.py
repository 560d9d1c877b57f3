"""Keep the tracked jobs of one target in little memory: finished ones as packed records.

A monitor of ten thousand projects tracks a million jobs, and nearly all of them have finished. An
object and a dictionary entry for each would take half a kilobyte. A packed job takes 49 bytes: its
id in a sorted array, and a record at the same place in a byte string:

    pipeline id | hash of the name | times | unchanged since | number of events | mark
         8              8              8           8                 8             1

The mark is the place in `_MEANINGS` of the status, and of whether the job is erased and a bridge.
The name itself is not kept: a row is only compared with it. Unfinished jobs remain objects,
since they are few, change often, and are reported by name when they are deleted.
"""

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Self

from attrs import define, field

from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.watch.tracked_job import TrackedJob, hash_of

_RECORD = struct.Struct("<qQQdqB")
_SIZE = _RECORD.size
_unpack = _RECORD.unpack_from
_MEANINGS = [
    (JobStatus(status), is_erased, is_bridge)
    for status in ("success", "failed", "canceled", "skipped")
    for is_erased in (False, True)
    for is_bridge in (False, True)
]
_MARKS = {meaning: mark for mark, meaning in enumerate(_MEANINGS)}


@define(eq=False, repr=False)
class _FinishedJobs:
    """The packed records of finished jobs, sorted by id."""

    ids: "array[int]" = field(factory=lambda: array("q"), init=False)
    _records: bytearray = field(factory=bytearray, init=False)

    def __contains__(self, job_id: int) -> bool:
        place = bisect_left(self.ids, job_id)
        return place < len(self.ids) and self.ids[place] == job_id

    def find(self, job_id: int) -> TrackedJob | None:
        """Return a copy of a job, or `None`."""
        ids = self.ids
        place = bisect_left(ids, job_id)
        if place == len(ids) or ids[place] != job_id:
            return None
        pipeline_id, name_hash, times, since, events, mark = _unpack(self._records, place * _SIZE)
        status, is_erased, is_bridge = _MEANINGS[mark]
        return TrackedJob(
            job_id, status, "", pipeline_id, since, events, is_erased, is_bridge, times, name_hash
        )

    def put(self, job: TrackedJob) -> None:
        """Add or replace a job.

        Raises:
            ValueError: a number does not fit into its field.
        """
        mark = _MARKS[job.status, job.is_erased, job.is_bridge]
        name_hash = hash_of(job.name) if job.name_hash is None else job.name_hash
        place = bisect_left(self.ids, job.id)
        try:
            record = _RECORD.pack(
                job.pipeline_id, name_hash, job.times, job.since, job.events, mark
            )
            if place == len(self.ids) or self.ids[place] != job.id:
                self.ids.insert(place, job.id)
                self._records[place * _SIZE : place * _SIZE] = record
            else:
                self._records[place * _SIZE : (place + 1) * _SIZE] = record
        except (struct.error, OverflowError) as error:
            # Rows are checked when they are received, so that only a damaged checkpoint has such.
            raise ValueError(f"job {job.id}: number out of range") from error

    def remove(self, job_id: int) -> bool:
        """Remove a job; return whether it was there."""
        place = bisect_left(self.ids, job_id)
        if place == len(self.ids) or self.ids[place] != job_id:
            return False
        del self.ids[place]
        del self._records[place * _SIZE : (place + 1) * _SIZE]
        return True

    def marks_to(self, job_id: int) -> Iterator[tuple[int, int]]:
        """Yield id and mark of each job up to *job_id*, in order, without unpacking."""
        count = bisect_right(self.ids, job_id)
        return zip(self.ids[:count], self._records[_SIZE - 1 : count * _SIZE : _SIZE], strict=True)


@define(eq=False, repr=False)
class TrackedJobs(Mapping[int, TrackedJob]):
    """The tracked jobs by id; a finished one is a copy, to `put` back after a change."""

    unfinished: dict[int, TrackedJob] = field(factory=dict[int, TrackedJob], init=False)
    _finished: _FinishedJobs = field(factory=_FinishedJobs, init=False)

    @classmethod
    def of(cls, jobs: Iterable[TrackedJob]) -> Self:
        """Return a mapping of *jobs* by their ids.

        Raises:
            ValueError: a number of a job is out of range.
        """
        mapping = cls()
        mapping.update(jobs)
        return mapping

    def __getitem__(self, job_id: int) -> TrackedJob:
        found = self.find(job_id)
        if found is None:
            raise KeyError(job_id)
        return found

    def __contains__(self, job_id: object) -> bool:
        return job_id in self.unfinished or (isinstance(job_id, int) and job_id in self._finished)

    def __iter__(self) -> Iterator[int]:
        return chain(self.unfinished, self._finished.ids)

    def __len__(self) -> int:
        return len(self.unfinished) + len(self._finished.ids)

    def find(self, job_id: int) -> TrackedJob | None:
        """Return a job, or `None`."""
        unfinished = self.unfinished
        return unfinished[job_id] if job_id in unfinished else self._finished.find(job_id)

    def put(self, job: TrackedJob) -> None:
        """Add or replace a job.

        Raises:
            ValueError: a number does not fit into its field.
        """
        if job.is_open:
            if job.id not in self.unfinished:
                self._finished.remove(job.id)
            self.unfinished[job.id] = job
        else:
            self._finished.put(job)
            self.unfinished.pop(job.id, None)

    def update(self, jobs: Iterable[TrackedJob]) -> None:
        """Add or replace *jobs*."""
        for job in jobs:
            self.put(job)

    def remove(self, job_id: int) -> None:
        """Remove a job; ignore an unknown one."""
        if not self._finished.remove(job_id):
            self.unfinished.pop(job_id, None)

    def count_finished_above(self, job_id: int) -> int:
        """Return the number of finished jobs above *job_id*."""
        return len(self._finished.ids) - bisect_right(self._finished.ids, job_id)

    def finished_to(self, job_id: int) -> Iterator[tuple[int, bool, bool]]:
        """Yield finished jobs up to *job_id* in order: the id, and whether skipped or a bridge."""
        for number, mark in self._finished.marks_to(job_id):
            status, _, is_bridge = _MEANINGS[mark]
            yield number, status is JobStatus.SKIPPED, is_bridge
