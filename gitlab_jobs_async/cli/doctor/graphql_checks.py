"""Checks of GraphQL."""

from typing import Final

from gitlab_jobs_async.cli.doctor.check import Check, Question
from gitlab_jobs_async.cli.doctor.findings import Findings, Problem, Reply
from gitlab_jobs_async.cli.doctor.questions import QUESTION_SIZES
from gitlab_jobs_async.cli.doctor.readings import Cost, Movement, cost, movement, projects_in

_SLOW: Final = 5.0
"""Seconds of an answer from which on a monitor asks about fewer projects."""

_REST_ONLY: Final = "a monitor asks each project by REST, which takes more requests"


def questions(findings: Findings) -> list[Check]:
    """Check the question about 1, 10 and 50 projects."""
    return [_question(findings, size) for size in QUESTION_SIZES]


def _question(findings: Findings, size: int) -> Check:
    noun = "project" if size == 1 else "projects"
    question = Question(f"GraphQL, {size} {noun}", "POST /api/graphql", "under 5 s")
    reply = findings.questions.get(size)
    if findings.is_job_token:
        return question.unknown("not asked", "GraphQL takes no job token")
    if reply is None:
        return question.unknown("not asked", _why_unasked(findings, size))
    if not reply.is_good:
        return _refused(question, reply)
    return _answered(question, findings, reply, size)


def _why_unasked(findings: Findings, size: int) -> str:
    known = len(findings.project_ids)
    smaller = [reply for one, reply in findings.questions.items() if one < size]
    if smaller and not smaller[-1].is_good:
        return "a smaller question failed"
    if known:
        return f"{known} known {'project' if known == 1 else 'projects'}; --group names more"
    return "needs projects: --project, --group"


def _refused(question: Question, reply: Reply) -> Check:
    if reply.problem is Problem.COMPLEXITY:
        return question.differs(f"refused{_shown(cost(reply.value))}", _REST_ONLY)
    if reply.problem in {Problem.REFUSED, Problem.NOT_JSON} or reply.is_denied:
        return question.differs(reply.seen, _REST_ONLY)
    if reply.problem in {Problem.LOST, Problem.TOO_LARGE}:
        return question.differs(reply.seen, "a monitor asks about fewer projects at once")
    return question.unanswered(reply, "needs an answer of GraphQL")


def _answered(question: Question, findings: Findings, reply: Reply, size: int) -> Check:
    asked = min(size, len(findings.project_ids))
    found, stated = projects_in(reply.value), cost(reply.value)
    shown = f"{reply.seconds:.1f} s{_shown(stated)}, found {found} of {asked}"
    if found == 0:
        return question.differs(f"no project of {asked}", _REST_ONLY)
    if found > asked:
        return question.differs(shown, "projects that were not asked about", is_harmful=True)
    if reply.seconds > _SLOW:
        return question.differs(shown, "a monitor asks about fewer projects at once")
    if found < asked:
        return question.expects(shown, "projects without access are missing, as in GitLab")
    return question.expects(shown)


def _shown(stated: Cost | None) -> str:
    return "" if stated is None else f", complexity {stated.score} of {stated.limit}"


def updated_at(findings: Findings) -> Check:
    """Check whether a pipeline's time of change moves with its jobs."""
    question = Question(
        "updatedAt", "two readings of a running pipeline", "moves with the status, not with jobs"
    )
    first, second = findings.questions.get(1), findings.reply("reading")
    if first is None or not first.is_good:
        return question.unknown("not asked", "needs an answer of GraphQL")
    if not second.is_good:
        return question.unanswered(second, "needs a project whose pipeline runs: --project")
    seen = movement(first.value, second.value)
    match seen:
        case Movement.NOTHING:
            return question.unknown(seen.value, "try again while jobs start or end")
        case Movement.WITH_JOBS:
            return question.differs(seen.value, "none: more changes give a hint")
        case Movement.NEVER:
            return question.differs(seen.value, "none: the status is compared, too")
    return question.expects(seen.value)
