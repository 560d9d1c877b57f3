"""Credentials of each kind with one secret."""

from gitlab_jobs_async import BearerToken, JobToken, PrivateToken

SECRET = "glpat-s3cret"
CREDENTIALS = [
    PrivateToken(SECRET),
    BearerToken(SECRET),
    JobToken(SECRET),
    JobToken(SECRET, via="bearer"),
    JobToken(SECRET, via="query"),
]
