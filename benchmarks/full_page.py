"""Jobs as full as GitLab's: every field of a finished job, 20 jobs a pipeline, 2.7 KB each."""

from typing import Any

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


def job(number: int, job_id: int | None = None) -> dict[str, Any]:
    """Return a finished job, with *number* as its id if none is given; 20 share a pipeline."""
    pipeline, sha = number // 20, f"{number // 20:040x}"
    minute = number % 60
    return {
        "id": number if job_id is None else job_id,
        "status": "failed" if number % 3 else "success", "stage": "test",
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
