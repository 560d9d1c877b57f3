"""Replay a stream of events into state, and reject any event that does not fit."""

from attrs import define, field

from gitlab_jobs_async.events import (
    JobAppeared,
    JobChanged,
    JobDeleted,
    JobErased,
    JobFinished,
    JobLogLine,
    ProjectRecovered,
    ProjectReset,
    ProjectUnreachable,
)


@define
class Replay:
    """The last emitted status of each job by id, and all other events."""

    events: list = field(factory=list)
    keys: set = field(factory=set)
    status: dict = field(factory=dict)
    appeared: dict = field(factory=dict)
    ends: dict = field(factory=dict)
    erased: set = field(factory=set)
    deleted: set = field(factory=set)
    unreachable: set = field(factory=set)
    lines: dict = field(factory=dict)
    resets: list = field(factory=list)

    def hear(self, *events):
        for event in events:
            assert event.key not in self.keys, event
            self.keys.add(event.key)
            self.events.append(event)
            self.take(event)
        return self

    def take(self, event):
        match event:
            case JobAppeared(job=job):
                assert job.id not in self.appeared
                self.appeared[job.id] = event
                self.status[job.id] = job.status
            case JobChanged(job=job, previous=previous):
                assert self.status[job.id] == previous != job.status
                assert not job.status.is_finished
                self.status[job.id] = job.status
            case JobFinished(job=job, previous=previous):
                assert job.status.is_finished
                assert previous is None or self.status[job.id] == previous
                self.status[job.id] = job.status
                self.ends[job.id] = self.ends.get(job.id, 0) + 1
            case JobErased(job=job):
                assert job.id not in self.erased
                self.erased.add(job.id)
            case JobDeleted(job_id=job_id, previous=previous):
                assert self.status.pop(job_id) == previous
                self.deleted.add(job_id)
            case JobLogLine(job=job, line=line):
                self.lines.setdefault(job.id, []).append(line.text)
            case ProjectUnreachable() | ProjectRecovered() | ProjectReset():
                self.take_project(event)

    def forget(self, project):
        self.resets.append(project)
        for job_id in [i for i, event in self.appeared.items() if event.project == project]:
            for known in (self.appeared, self.status, self.ends):
                known.pop(job_id, None)
            self.erased.discard(job_id)

    def take_project(self, event):
        match event:
            case ProjectUnreachable(project=project):
                assert project not in self.unreachable
                self.unreachable.add(project)
            case ProjectRecovered(project=project):
                self.unreachable.remove(project)
            case ProjectReset(project=project):
                self.forget(project)
