"""Credentials of each kind, and a function that returns some, with one secret."""

from gitlab_jobs_async import BearerToken, JobToken, PrivateToken

SECRET = "glpat-s3cret"
CREDENTIALS = [
    PrivateToken(SECRET),
    BearerToken(SECRET),
    JobToken(SECRET),
    JobToken(SECRET, via="bearer"),
    JobToken(SECRET, via="query"),
]


class CredentialsFunction:
    """A function that returns a private token."""

    def __call__(self) -> PrivateToken:
        """Return the token."""
        return PrivateToken(SECRET)

    def __repr__(self) -> str:
        return "function"
