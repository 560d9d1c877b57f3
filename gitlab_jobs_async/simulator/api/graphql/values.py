"""How GitLab's GraphQL writes ids and times."""

from datetime import UTC, datetime
from functools import lru_cache

from gitlab_jobs_async.simulator.api.graphql.context import ArgumentError
from gitlab_jobs_async.simulator.plans import NEVER


def global_id(model: str, number: int) -> str:
    """Return a global id, such as `gid://gitlab/Ci::Pipeline/5`."""
    return f"gid://gitlab/{model}/{number}"


def model_id(written: str, model: str) -> int:
    """Return the number in a global id of *model*.

    Raises:
        ArgumentError: it is not an id, or one of another model; texts of GitlabSchema.parse_gid.
    """
    scheme, _, rest = written.partition("://")
    parts = rest.split("/")
    if scheme != "gid" or len(parts) != 3 or not all(parts):
        raise ArgumentError(f"{written} is not a valid GitLab ID.")
    if parts[1] != model:
        raise ArgumentError(f"{written} is not a valid ID for {model}.")
    # The database finds nothing for an id that is not a number.
    return int(parts[2]) if parts[2].isascii() and parts[2].isdigit() else 0


@lru_cache(maxsize=65_536)
def write_time(at: float | None) -> str | None:
    """Format Unix seconds as app/graphql/types/time_type.rb does: without fractions."""
    if at is None or at == NEVER:
        return None
    return datetime.fromtimestamp(int(at), UTC).isoformat().replace("+00:00", "Z")


def read_time(written: object) -> float:
    """Return Unix seconds of a time argument; raise `ArgumentError` for another text."""
    try:
        at = datetime.fromisoformat(str(written))
    except ValueError:
        raise ArgumentError(f"Can not coerce {written} to a time") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
