"""Count the connections of a client."""

from gitlab_jobs_async import GitLab


def open_connections(gitlab: GitLab) -> int:
    """Return the number of connections in use, without idle ones in the pool."""
    return len(gitlab._transport._connections.session.connector._acquired)
