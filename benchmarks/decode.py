"""How much longer it takes to decode a page of 100 jobs into models than to parse it as JSON.

The page is as full as GitLab's: every field, 20 jobs a pipeline. Each round decodes pages not seen
before, as a listing does. Bar: at most 4 x `orjson.loads` of the same bytes.
"""

import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import orjson

from gitlab_jobs_async import Job, Response
from gitlab_jobs_async.sansio.decoding import decode

ROUNDS = 60
AT = "2026-08-01T1{}:{:02}:21.802Z"


def user(number: int) -> dict[str, Any]:
    """One of a handful of people."""
    return {
        "id": number, "username": f"user{number}", "public_email": "", "name": f"User {number}",
        "state": "active", "locked": False, "avatar_url": "https://gitlab.example.com/a.png",
        "web_url": f"https://gitlab.example.com/user{number}", "created_at": AT.format(1, 2),
        "bio": "", "location": None, "linkedin": "", "twitter": "", "discord": "",
        "website_url": "", "github": "", "job_title": "", "pronouns": None, "organization": None,
        "bot": False, "work_information": None, "followers": 1, "following": 2, "local_time": None,
    }  # fmt: skip


def job(number: int) -> dict[str, Any]:
    """A finished job; every twentieth begins another pipeline and commit."""
    pipeline, sha = number // 20, f"{number // 20:040x}"
    minute = number % 60
    return {
        "id": number, "status": "failed" if number % 3 else "success", "stage": "test",
        "name": f"rspec {number % 20}/20", "ref": "main", "tag": False, "coverage": None,
        "allow_failure": False, "created_at": AT.format(0, minute),
        "started_at": AT.format(1, minute), "finished_at": AT.format(2, minute),
        "erased_at": None, "duration": 123.5 + minute, "queued_duration": 0.5, "archived": False,
        "source": "push", "failure_reason": "script_failure", "user": user(pipeline % 7),
        "commit": {
            "id": sha, "short_id": sha[:8], "created_at": AT.format(3, pipeline % 60),
            "parent_ids": [sha[::-1]], "title": "Test", "message": "Test the CI integration.",
            "author_name": "Ada", "author_email": "ada@example.com",
            "authored_date": AT.format(3, 4), "committer_name": "Ada", "trailers": {},
            "committer_email": "ada@example.com", "committed_date": AT.format(3, 5),
            "web_url": "https://gitlab.example.com/g/a/-/commit/1",
        },
        "pipeline": {
            "id": pipeline, "iid": pipeline, "project_id": 17, "sha": sha, "ref": "main",
            "status": "success", "source": "push", "created_at": AT.format(0, 0),
            "updated_at": AT.format(2, 59), "web_url": "https://gitlab.example.com/g/a/-/p/1",
        },
        "web_url": f"https://gitlab.example.com/g/a/-/jobs/{number}",
        "project": {"ci_job_token_scope_enabled": False},
        "artifacts_file": {"filename": "artifacts.zip", "size": 1000 + number},
        "artifacts": [
            {"file_type": kind, "size": 1000 + number, "filename": f"{kind}.x", "file_format": "x"}
            for kind in ("archive", "metadata", "trace", "junit")
        ],
        "runner": {
            "id": number % 4, "description": "r", "ip_address": None, "active": True,
            "paused": False, "is_shared": True, "runner_type": "instance_type", "name": None,
            "online": True, "status": "online", "created_by": None, "created_at": AT.format(0, 1),
            "job_execution_status": "idle",
        },
        "runner_manager": {
            "id": number % 4, "system_id": "s_1", "version": "19.4.0", "revision": "f3a1",
            "platform": "linux", "architecture": "amd64", "created_at": AT.format(0, 1),
            "contacted_at": AT.format(0, 2), "ip_address": None, "status": "online",
        },
        "artifacts_expire_at": AT.format(9, minute), "tag_list": ["docker", "linux"],
    }  # fmt: skip


def seconds(work: Callable[[], object]) -> float:
    """How long *work* takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    """Print medians of one run and their ratio."""
    ids = itertools.count(1)
    parse, models = [], []
    for _ in range(ROUNDS):
        body = orjson.dumps([job(next(ids)) for _ in range(100)])
        answer = Response(200, {}, body, "GET", "https://gitlab.example.com/api/v4/x")
        parse.append(seconds(lambda body=body: orjson.loads(body)))
        models.append(seconds(lambda answer=answer: decode(answer, list[Job])))
    plain, decoded = statistics.median(parse[5:]), statistics.median(models[5:])
    print(f"orjson.loads {plain * 1e6:8.0f} µs a page of 100 jobs ({len(body)} bytes)")
    print(f"decode       {decoded * 1e6:8.0f} µs")
    print(f"ratio        {decoded / plain:8.2f} (bar: 4)")


if __name__ == "__main__":
    main()
