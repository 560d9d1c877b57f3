"""Many finished jobs at once. Their ids have gaps, as ids are shared by a whole instance."""

import random
from collections.abc import Iterator
from typing import Final

from gitlab_jobs_async.simulator.logs import BytesLog
from gitlab_jobs_async.simulator.plans import JobPlan
from gitlab_jobs_async.simulator.records import Job, Pipeline, Project, User
from gitlab_jobs_async.simulator.registry import Registry

GAPS: Final = ("dense", "uniform", "bursty", "heavy_tailed")
_PLAN: Final = JobPlan(log=BytesLog(b"Job succeeded\n"))
_FAILED: Final = JobPlan(log=BytesLog(b"ERROR: Job failed: exit code 1\n"), outcome="failed")
_NAMES: Final = ("build", "lint", "unit", "integration", "deploy")


def gaps(kind: str, count: int, rng: random.Random, *, mean: int = 10) -> Iterator[int]:
    """Return gaps between the ids of neighbouring jobs, on average about `mean` (dense: 1)."""
    for index in range(count):
        if kind == "dense":
            yield 1
        elif kind == "uniform":
            yield rng.randint(1, 2 * mean - 1)
        elif kind == "bursty":
            yield 1 if index % 200 else 200 * mean
        elif kind == "heavy_tailed":
            yield max(1, min(int(mean / 3 * rng.paretovariate(1.3)), 1_000_000))
        else:
            raise ValueError(f"unknown gaps {kind!r}: expected one of {', '.join(GAPS)}")


def add_finished_jobs(
    registry: Registry,
    project: Project,
    ids: Iterator[int],
    *,
    per_pipeline: int,
    user: User | None,
    rng: random.Random,
) -> list[Job]:
    """Create a finished job per id, every tenth failed; `per_pipeline` jobs share a pipeline."""
    made: list[Job] = []
    pipeline: Pipeline | None = None
    runner = registry.runners[0] if registry.runners else None
    for index, job_id in enumerate(ids):
        if pipeline is None or index % per_pipeline == 0:
            pipeline = _finished_pipeline(registry, project, user)
        failed = rng.random() < 0.1
        job = Job(
            id=registry.job_id(job_id),
            pipeline=pipeline,
            name=f"{_NAMES[index % len(_NAMES)]} {index % per_pipeline}",
            stage="test",
            plan=_FAILED if failed else _PLAN,
            user=user,
            created_at=registry.now - 100.0,
            status="failed" if failed else "success",
            queued_at=registry.now - 98.0,
            started_at=registry.now - 95.0,
            finished_at=registry.now - 20.0 - index % 50,
            failure_reason="script_failure" if failed else None,
            runner=runner,
        )
        made.append(registry.add_job(job))
        if failed:
            pipeline.status = "failed"
    return made


def _finished_pipeline(registry: Registry, project: Project, user: User | None) -> Pipeline:
    pipeline = registry.new_pipeline(project, at=registry.now - 100.0, user=user)
    pipeline.status = "success"
    pipeline.started_at, pipeline.finished_at = registry.now - 95.0, registry.now - 20.0
    pipeline.updated_at = registry.now - 20.0
    return pipeline
