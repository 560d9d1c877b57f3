"""Views of pipelines: hostile names stay harmless, and all sizes of a terminal are fit."""

import io
from datetime import UTC, datetime

from rich.console import Console

from gitlab_jobs_async.cli.views.pipeline_rows import by_stage, pipeline_facts, standing
from gitlab_jobs_async.cli.views.pipelines import change_line, pipeline_view
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from tests.support.command import HOSTILE_NAME

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
JOBS = [
    Job(id=number, name=HOSTILE_NAME, stage=stage, status=JobStatus(status))
    for number, (stage, status) in enumerate(
        [
            ("z", "success"),
            ("z", "failed"),
            (HOSTILE_NAME, "running"),
            ("z", "skipped"),
            ("b", "x"),
        ],
        start=1,
    )
]
PIPELINE = Pipeline(
    id=7, status=JobStatus.RUNNING, ref=HOSTILE_NAME, web_url="https://h/\x1b[2J", created_at=NOW
)


def test_stages_keep_the_order_of_their_jobs():
    assert [stage for stage, _ in by_stage(JOBS[::-1])] == ["z", HOSTILE_NAME, "b"]
    assert standing([]) == "no jobs"
    assert standing(JOBS[:2]) == "2 of 2 jobs ended; z: 1 failed"
    assert standing(JOBS[4:]) == "0 of 1 job ended; b: 1 x"


def test_views_are_clean_in_every_width():
    for width in (30, 80, 200):
        out = io.StringIO()
        console = Console(file=out, width=width)
        console.print(pipeline_view(pipeline_facts(PIPELINE, JOBS, NOW), JOBS))
        console.print(pipeline_view(pipeline_facts(PIPELINE, [], None), []))
        for value in (PIPELINE, *JOBS):
            console.print(change_line(NOW, value, HOSTILE_NAME))
        assert all(line.isprintable() for line in out.getvalue().splitlines())
        assert max(map(len, out.getvalue().splitlines())) <= width
        assert "2026-01-02T03:04:05" in out.getvalue()
