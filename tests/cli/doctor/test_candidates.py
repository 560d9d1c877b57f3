"""The job whose log is read, and the number of a job's project."""

import pytest

from gitlab_jobs_async.cli.doctor.candidates import project_number, readable_job


def row(job_id, status="success", log=None, **changed):
    files = [] if log is None else [{"file_type": "archive", "size": 1}, {"file_type": "trace"}]
    for file in files[1:]:
        file["size"] = log
    job = {"id": job_id, "status": status, "started_at": "x", "erased_at": None}
    return job | {"artifacts": files} | changed


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ([], None),
        ([row(1, started_at=None), row(2, erased_at="x"), row("3"), {}], None),
        ([row(4, "running"), row(3)], 3),
        ([row(4, "running", log=5), row(3, log=900)], 3),
        ([row(4, "running"), row(3, "manual", started_at=None)], 4),
        ([row(4, log=900), row(3, "failed", log=20), row(2, log=50)], 3),
        ([row(4, log=1), row(3, log=20)], 3),
        ([row(4), row(3, log=20)], 3),
        ([row(4, artifacts=None), row(3, artifacts=["x", {"file_type": "trace"}])], 4),
    ],
)
def test_job_with_a_short_log_is_chosen(rows, chosen):
    job = readable_job(rows)
    assert (job and job["id"]) == chosen


@pytest.mark.parametrize(
    ("job", "number"),
    [
        ({"pipeline": {"project_id": 17}}, 17),
        ({"pipeline": {"project_id": "17"}}, None),
        ({"pipeline": {"project_id": True}}, None),
        ({"pipeline": None}, None),
        ([], None),
        (None, None),
    ],
)
def test_number_of_a_project_is_an_id(job, number):
    assert project_number(job) == number
