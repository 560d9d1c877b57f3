"""Runners as GitLab's JSON (lib/api/entities/ci/runner.rb), and how GitLab writes times."""

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from gitlab_jobs_async.simulator.plans import NEVER
from gitlab_jobs_async.simulator.records import Job, Runner

Json = dict[str, object]
_AUTHORS = timezone(timedelta(hours=2))


def author_time(at: float) -> str:
    """Format Unix seconds as GitLab does for commits: without fractions, in the author's zone."""
    return datetime.fromtimestamp(int(at), _AUTHORS).isoformat(timespec="milliseconds")


def clock_time(at: float) -> str:
    """Format Unix seconds as a user's local time, such as "3:38 PM"; all users are in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%I:%M %p").lstrip("0")


@lru_cache(maxsize=65_536)
def iso(at: float | None) -> str | None:
    """Format Unix seconds as GitLab writes times."""
    if at is None or at == NEVER:
        return None
    written = datetime.fromtimestamp(round(at, 3), UTC).isoformat(timespec="milliseconds")
    return written.replace("+00:00", "Z")


def runner_entity(runner: Runner, *, busy: bool) -> Json:
    """Return API::Entities::Ci::Runner."""
    return {
        "id": runner.id,
        "description": runner.description,
        "ip_address": None,
        "active": not runner.paused,
        "paused": runner.paused,
        "is_shared": runner.runner_type == "instance_type",
        "runner_type": runner.runner_type,
        "name": None,
        "online": runner.online,
        "created_by": None,
        "created_at": iso(runner.created_at),
        "status": "online" if runner.online else "offline",
        "job_execution_status": "active" if busy else "idle",
    }


def manager_entity(job: Job, now: float, *, busy: bool) -> Json | None:
    """Return API::Entities::Ci::RunnerManager: the machine that ran the job."""
    runner = job.runner
    if runner is None:
        return None
    return {
        "id": runner.id,
        "system_id": f"s_{runner.id:012x}",
        "version": runner.version,
        "revision": "f3a1c2d9",
        "platform": "linux",
        "architecture": "amd64",
        "created_at": iso(runner.created_at),
        "contacted_at": iso(job.finished_at or now),
        "ip_address": f"192.0.2.{runner.id % 256}",
        "status": "online" if runner.online else "offline",
        "job_execution_status": "active" if busy else "idle",
    }
