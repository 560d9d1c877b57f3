"""A finished job as GitLab sends it, with every field that a model has."""

USER = {
    "id": 1, "name": "Administrator", "username": "root", "state": "active", "locked": False,
    "avatar_url": "https://gravatar.example/x.png", "web_url": "https://gitlab.example.com/root",
    "created_at": "2015-12-21T13:14:24.077Z", "bio": None, "location": None, "public_email": "",
    "skype": "", "linkedin": "", "twitter": "", "website_url": "", "organization": "",
}  # fmt: skip
COMMIT = {
    "author_email": "admin@example.com", "author_name": "Administrator",
    "created_at": "2015-12-24T16:51:14.000+01:00", "id": "0ff3ae198f86", "short_id": "0ff3ae19",
    "message": "Test the CI integration.", "title": "Test the CI integration.",
}  # fmt: skip
JOB = {
    "commit": COMMIT, "coverage": None, "allow_failure": False, "archived": False,
    "created_at": "2015-12-24T15:51:21.802Z", "started_at": "2015-12-24T17:54:27.722Z",
    "finished_at": "2015-12-24T17:54:27.895Z", "erased_at": None, "duration": 0.173,
    "queued_duration": 0.010, "artifacts_file": {"filename": "artifacts.zip", "size": 1000},
    "artifacts": [
        {"file_type": "archive", "size": 1000, "filename": "artifacts.zip", "file_format": "zip"},
        {"file_type": "trace", "size": 1500, "filename": "job.log", "file_format": "raw"},
    ],
    "artifacts_expire_at": "2016-01-23T17:54:27.895Z", "tag_list": ["docker runner", "ubuntu18"],
    "id": 7, "name": "teaspoon", "source": "push",
    "pipeline": {"id": 6, "project_id": 1, "ref": "main", "sha": "0ff3ae", "status": "pending"},
    "ref": "main",
    "runner": {"id": 3, "description": "r", "ip_address": None, "active": True, "paused": False,
               "is_shared": True, "runner_type": "instance_type", "name": "r", "online": True,
               "status": "online", "job_execution_status": "idle"},
    "runner_manager": {"id": 4, "system_id": "s", "version": "19.4.0", "platform": "linux",
                       "contacted_at": "2015-12-24T17:54:27.722Z"},
    "stage": "test", "status": "failed", "failure_reason": "script_failure", "tag": False,
    "web_url": "https://example.com/foo/bar/-/jobs/7",
    "project": {"ci_job_token_scope_enabled": False}, "user": USER,
}  # fmt: skip
