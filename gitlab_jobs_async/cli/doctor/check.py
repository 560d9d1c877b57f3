"""One check: a question, the expected answer, the seen one and a verdict."""

from enum import StrEnum

from attrs import frozen

from gitlab_jobs_async.cli.doctor.findings import Findings, Problem, Reply


class Verdict(StrEnum):
    """Relation of the seen answer to the expected one."""

    EXPECTED = "as expected"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@frozen
class Check:
    """A question to a server and its answer.

    Attributes:
        name: short name, the same for all servers.
        asked: the request.
        expected: the answer of a GitLab, as far as known from its source.
        seen: the answer of this server.
        verdict: relation of both.
        consequence: effect on the client, or how an unknown is answered.
        is_harmful: the answer differs in a way that makes the client wrong, or fail.
    """

    name: str
    asked: str
    expected: str
    seen: str
    verdict: Verdict
    consequence: str = ""
    is_harmful: bool = False


@frozen
class Question:
    """The part of a check that does not depend on the answer."""

    name: str
    asked: str
    expected: str

    def expects(self, seen: str, consequence: str = "") -> Check:
        """Return the check of an expected answer."""
        words = (self.name, self.asked, self.expected, seen)
        return Check(*words, Verdict.EXPECTED, consequence)

    def differs(self, seen: str, consequence: str, *, is_harmful: bool = False) -> Check:
        """Return the check of an unexpected answer."""
        words = (self.name, self.asked, self.expected, seen)
        return Check(*words, Verdict.DIFFERS, consequence, is_harmful)

    def unknown(self, seen: str, consequence: str) -> Check:
        """Return the check of a question without an answer."""
        words = (self.name, self.asked, self.expected, seen)
        return Check(*words, Verdict.UNKNOWN, consequence)

    def unanswered(self, reply: Reply, needs: str) -> Check:
        """Return the check of an answer that cannot be used; *needs* helps if none was asked."""
        if reply.problem is Problem.UNASKED:
            return self.unknown(reply.seen, needs)
        why = "the server refuses it" if reply.is_denied else "try again later"
        return self.unknown(reply.seen, why)


def needs_jobs(findings: Findings) -> str:
    """Return how to answer a question that needs jobs."""
    if findings.named_project is not None:
        return "needs a project that has run jobs"
    return "needs a project with jobs: --project PROJECT"
