"""Answers of a server, reduced to values that hold no name and no secret unless asked for."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from attrs import define, field, frozen

from gitlab_jobs_async.api.parameters import ProjectId

_VERSION: Final = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})\.[0-9]{1,4}(-[a-z0-9.]{1,20})?", re.ASCII)
Release = tuple[int, int]


class Problem(StrEnum):
    """Reasons other than an HTTP status why an answer cannot be used."""

    NONE = ""
    UNASKED = "not asked"
    LIMIT = "not asked: all requests used"
    LOST = "no complete answer"
    NOT_JSON = "not JSON"
    TOO_LARGE = "answer too large"
    REFUSED = "errors in the answer"
    COMPLEXITY = "refused: too complex"


@frozen
class Reply:
    """One answer: its status (0 without one), headers, JSON, bytes and duration in seconds."""

    status: int = 0
    headers: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    value: Any = field(default=None, repr=False)
    size: int = 0
    seconds: float = 0.0
    problem: Problem = Problem.UNASKED

    @property
    def is_good(self) -> bool:
        """Whether it is a success that can be used."""
        return 200 <= self.status < 300 and not self.problem

    @property
    def is_denied(self) -> bool:
        """Whether the server refuses the caller, or hides the resource."""
        return self.status in {401, 403, 404}

    @property
    def seen(self) -> str:
        """A few words on an answer that cannot be used."""
        return self.problem.value or f"HTTP {self.status}"

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """The objects of a listing; empty for anything else."""
        value = self.value if isinstance(self.value, list) else []
        return [row for row in value if isinstance(row, dict)]

    @property
    def ids(self) -> list[int]:
        """The ids of a listing's rows, in its order."""
        return [row["id"] for row in self.rows if is_id(row.get("id"))]

    def get(self, name: str) -> Any:
        """Return a field of a JSON object, None without it."""
        return self.value.get(name) if isinstance(self.value, dict) else None


NOT_ASKED: Final = Reply()


@define
class Findings:
    """All answers of a server.

    Attributes:
        replies: answers by the name of their request.
        questions: answers of GraphQL by the number of projects asked about.
        project: the project whose jobs were read, None without one.
        named_project: the project that the caller named.
        named_group: the group that the caller named.
        project_ids: ids of projects that GraphQL may be asked about.
        job_status: status of the job whose log was read, empty without one.
        is_job_token: the credential is the token of a running job.
        requests: number of requests sent.
    """

    replies: dict[str, Reply] = field(factory=dict[str, Reply])
    questions: dict[int, Reply] = field(factory=dict[int, Reply])
    project: ProjectId | None = None
    named_project: ProjectId | None = None
    named_group: ProjectId | None = None
    project_ids: list[int] = field(factory=list[int])
    job_status: str = ""
    is_job_token: bool = False
    requests: int = 0

    def reply(self, name: str) -> Reply:
        """Return an answer by the name of its request."""
        return self.replies.get(name, NOT_ASKED)

    @property
    def version(self) -> str:
        """The server's version, empty if unknown."""
        for name in ("version", "metadata"):
            value = self.reply(name).get("version")
            # Nothing else of a server's text goes into a report.
            if isinstance(value, str) and _VERSION.fullmatch(value):
                return value
        return ""

    @property
    def release(self) -> Release | None:
        """Major and minor number of the version, None if unknown."""
        match = _VERSION.fullmatch(self.version)
        return None if match is None else (int(match[1]), int(match[2]))

    def is_since(self, release: Release) -> bool | None:
        """Return whether the server is of *release* or later, None if unknown."""
        return None if self.release is None else self.release >= release


def is_id(value: object) -> bool:
    """Return whether *value* is the id of a row."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63
