"""The world in which every command is tried: a project with one red pipeline."""

from gitlab_jobs_async.simulator import (
    NEVER,
    JobPlan,
    MergeRequest,
    PipelinePlan,
    PlannedJob,
    RunnerScript,
    World,
)

PROJECT = "shop/payments"
PIPELINE, FAILED, RUNNING, MANUAL = 3, 7, 8, 9
HOSTILE_TITLE = "\x1b]0;owned\x07"

_REPORT = {"reports/junit.xml": b"<testsuite/>\n", "coverage/index.html": b"<html/>\n"}
_ATTACK = {"../outside.txt": b"outside\n", "inside.txt": b"inside\n"}
_HOSTILE = f"a line\n{HOSTILE_TITLE}another line\n".encode()


def world(now: float) -> World:
    """Return the world at *now*, ids as above.

    Pipeline 3 of `main` in `shop/payments`: `contract` has failed and succeeds on retry, `unit`
    runs for 90 more seconds, then `smoke` runs, `deploy` is manual. Pipeline 1 has a job with a
    hostile log and archive, 2 belongs to the merge request 12, 4 to `shop/checkout`.
    """
    made = World(now - 3600.0, seed=1)
    payments = made.add_project(PROJECT)
    payments.configuration = PipelinePlan(jobs=(PlannedJob("compile", "build", _plan(5.0)),))
    checkout = made.add_project("shop/checkout")
    hostile = made.add_pipeline(payments, ref="hostile")
    made.add_job(hostile, "hostile", plan=_plan(20.0, artifacts=_ATTACK, log=_HOSTILE))
    made.add_job(hostile, "report", plan=_plan(20.0, artifacts=_REPORT))
    made.settle(now - 1800.0)
    request = MergeRequest(iid=12, title="Ledger", source_branch="ledger")
    merge = made.add_pipeline(payments, merge_request=request)
    made.add_job(merge, "preview", plan=_plan(30.0))
    flaky = _plan(20.0, outcome="failed", attempts=(_plan(20.0),), auto_retry=1)
    made.add_job(merge, "flaky", plan=flaky)
    made.settle(now - 240.0)
    red = made.add_pipeline(payments)
    made.add_job(red, "compile", stage="build", plan=_plan(40.0))
    contract = _plan(60.0, outcome="failed", attempts=(_plan(15.0),))
    made.add_job(red, "contract", plan=contract)
    log = RunnerScript(lines=120, seed=4)
    unit = JobPlan(duration=286.0, upload_interval=4.0, log=log)
    made.add_job(red, "unit", plan=unit)
    made.add_job(red, "deploy", stage="build", plan=JobPlan(when="manual", allow_failure=True))
    made.add_job(red, "smoke", stage="deploy", plan=_plan(10.0, when="always"))
    other = made.add_pipeline(checkout)
    made.add_job(other, "stuck", plan=JobPlan(queued=NEVER))
    made.add_job(other, "lint", plan=_plan(20.0, outcome="failed"))
    made.settle(now)
    return made


def _plan(duration: float, **changes: object) -> JobPlan:
    return JobPlan(duration=duration, **changes)
