"""Projects, pipelines and jobs of a simulated server, found from a checkout, a URL or a name."""

import asyncio
import os
from pathlib import Path

import pytest

from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.finding.location import locate
from gitlab_jobs_async.cli.finding.references import Latest, parse_pipeline, parse_url
from gitlab_jobs_async.cli.finding.resolve import open_project
from gitlab_jobs_async.cli.finding.selection import Selection, parse_group, parse_project, select
from gitlab_jobs_async.cli.options import ANY_SERVER, ServerOptions
from gitlab_jobs_async.errors import LookupFailedError
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.project import Project
from gitlab_jobs_async.simulator import Fault, JobPlan, MergeRequest, PipelinePlan, PlannedJob
from tests.support.connections import open_connections
from tests.support.tasks import others, until

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture
def pipelines(world):
    """Add pipelines of branches, of a merge request, and with matrix jobs."""
    project = world.project("group/app")
    found = {name: world.add_pipeline(project, ref=name) for name in ("feature/x", "deadbeef")}
    request = MergeRequest(iid=12, source_branch="merge-me")
    found["!12"] = world.add_pipeline(project, merge_request=request)
    main = found["main"] = world.add_pipeline(project, ref="main")
    for name in ("lint", "test: [a]", "test: [b]"):
        world.add_job(main, name, plan=JobPlan(duration=1.0))
    child = PipelinePlan(jobs=(PlannedJob("child"),))
    world.add_bridge(main, "trigger", downstream=child, plan=JobPlan(when="manual"))
    return found


async def found(*words, pipeline=None, lookup=None):
    """Return project, pipeline id and job ids of the words of a command."""
    selection = select(words, None, pipeline)
    async with open_project(ANY_SERVER, selection) as finder:
        if lookup is not None:
            return finder.name, (await finder.pipeline(parse_pipeline(lookup))).id
        return finder.name, (await finder.jobs(selection.jobs, selection.pipeline))[1]


async def test_pipeline_of_each_name_is_found(pipelines):
    names = ["feature/x", "!12", "deadbeef", pipelines["feature/x"].sha[:9], "7", "latest"]
    ids = {name: (await found("group/app", "1", lookup=name))[1] for name in names}
    assert ids == {
        "feature/x": pipelines["feature/x"].id,
        "!12": pipelines["!12"].id,
        "deadbeef": pipelines["deadbeef"].id,
        names[3]: pipelines["feature/x"].id,
        "7": 7,
        "latest": pipelines["main"].id,
    }


async def test_checkout_gives_project_and_branch(pipelines, checkout, signed_in):
    git = checkout("feature/x")
    assert await found(lookup="latest") == ("group/app", pipelines["feature/x"].id)
    git("symbolic-ref", "HEAD", "refs/heads/main")
    assert (await found("lint"))[0] == "group/app"
    before = len(signed_in.requests)
    assert await found("4") == ("group/app", [4])
    assert len(signed_in.requests) == before  # ids need no question


async def test_commit_of_the_checkout_counts_too(pipelines, checkout):
    git = checkout("merge-me")
    git("commit", "--quiet", "--allow-empty", "--message", "x")
    # A branch whose only pipelines are those of its merge request.
    pipelines["!12"].sha = git("rev-parse", "HEAD")
    assert await found(lookup="latest") == ("group/app", pipelines["!12"].id)
    git("checkout", "--quiet", "--detach")
    assert await found(lookup="latest") == ("group/app", pipelines["!12"].id)
    git("commit", "--quiet", "--allow-empty", "--message", "y")
    with pytest.raises(LookupFailedError, match=r"no pipeline of commit [0-9a-f]{40}"):
        await found(lookup="latest")


@pytest.mark.usefixtures("pipelines")
async def test_job_is_found_by_name(job_of):
    assert await found("group/app", "lint") == ("group/app", [job_of("lint").id])
    assert await found("group/app", "lint", "3", pipeline="main") == (
        "group/app", [job_of("lint").id, 3],
    )  # fmt: skip
    assert (await found("group/app", "compile", pipeline="1"))[1] == [job_of("compile").id]


@pytest.mark.usefixtures("pipelines")
@pytest.mark.parametrize(
    ("words", "pipeline", "message"),
    [
        (["group/app", "lnit"], None, r"no job is named 'lnit'; similar: 'lint' \(pipeline \d+ of"),
        (["group/app", "main"], None, "; --pipeline names a pipeline, --project a project$"),
        (["group/app", "test"], None, "several jobs belong to 'test'"),
        (
            ["group/app", "lint"],
            "mainn",
            "pipeline of 'mainn' in group/app: expected main",
        ),
        (["group/app", "lint"], "zzz", "expected one of deadbeef, feature/x, main, refs/merge"),
        (["group/app", "lint"], "main/src", "no pipeline of 'main/src'"),
        (["group/empty", "lint"], None, "no pipeline of the default branch in group/empty$"),
    ],
)
async def test_near_miss_is_named(words, pipeline, message):
    with pytest.raises(CommandError, match=message) as info:
        await found(*words, pipeline=pipeline)
    assert info.value.code == 4


@pytest.mark.usefixtures("pipelines")
async def test_trigger_job_is_found_where_it_can_be(job_of):
    selection = select(["group/app", "trigger", "lint"])
    async with open_project(ANY_SERVER, selection) as finder:
        ids = (await finder.jobs(selection.jobs, takes_triggers=True))[1]
        assert ids == [job_of("trigger").id, job_of("lint").id]
        assert finder.triggers == {job_of("trigger").id}
        with pytest.raises(CommandError, match="is a trigger job: expected a job with a log") as no:
            await finder.jobs(selection.jobs)
    assert no.value.code == 4


async def test_unknown_project_is_not_found():
    for lookup in ("latest", "main", "!12", "a1b2c3d4"):
        with pytest.raises(CommandError, match="mistyped, deleted, or hidden") as raised:
            await found("group/nosuch", "1", lookup=lookup)
        assert raised.value.code == 4


async def test_merge_request_from_a_fork_is_followed(monkeypatch, world):
    fork = world.add_project("bob/app")
    jobs = world.add_job(world.add_pipeline(fork, ref="topic"), "only here")
    there = Pipeline(id=jobs.pipeline.id, status=JobStatus.RUNNING, project_id=fork.id)

    async def newest(_project, **_options):
        return there

    monkeypatch.setattr(Project, "get_latest_pipeline", newest)
    selection = select(["group/app", "only here"], None, "!12")
    async with open_project(ANY_SERVER, selection) as finder:
        project, ids = await finder.jobs(selection.jobs, selection.pipeline)
    assert (project.id, ids) == (fork.id, [jobs.id])


async def test_pasted_file_leads_to_its_branch(pipelines, gitlab):
    url = f"{gitlab.url}/group/app/-/blob/feature/x/src/main.py"
    async with open_project(ANY_SERVER, select([url])) as finder:
        assert (await finder.pipeline(parse_url(url).pipeline)).id == pipelines["feature/x"].id


async def test_pipeline_of_an_earlier_commit_is_found(pipelines, gitlab):
    gitlab.faults.add(Fault(path="*/pipelines/latest", status=403))
    before = await others()
    async with open_project(ANY_SERVER, Selection("group/app")) as finder:
        assert (await finder.pipeline(Latest("main"))).id == pipelines["main"].id
        # The listing was left after its first row.
        assert open_connections(finder.gitlab) == 0
    assert await others() == before


def test_projects_are_located_together(checkout, gitlab):
    checkout()
    url = f"{gitlab.url}/group/evil/-/pipelines/7"
    api = f"{gitlab.url}/api/v4/projects/17/jobs/5"
    names = [parse_project(text) for text in (".", "17", api, url, "group/app")]
    place = locate(ANY_SERVER, names)
    assert place.projects == ("group/app", 17, "group/evil")
    assert place.server.url == gitlab.url
    # A clone URL, a folder as shells complete it, and groups.
    ssh = [parse_project(text) for text in ("git@127.0.0.1:group/app.git", "./", "/group/app/")]
    group = parse_group(f"{gitlab.url}/groups/group")
    place = locate(ANY_SERVER, ssh, groups=[group, "group", 7])
    assert (place.projects, place.groups) == (("group/app",), ("group", 7))
    with pytest.raises(CommandError, match=r"remote 'origin' is not at|is at other.example.com"):
        locate(ANY_SERVER, [None, parse_project("https://other.example.com/group/app")])


@pytest.mark.parametrize("text", ["git@other.example.com:group/app.git", "https://h/group/app"])
def test_checkout_of_another_server_is_refused(checkout, home, gitlab, text):
    git = checkout(remote=text)
    # Although a token is configured, since the environment names a server.
    file = home / ".python-gitlab.cfg"
    file.touch(0o600)
    file.write_text(
        "[a]\nurl = https://other.example.com\nprivate_token = x\n"
        "[b]\nurl = https://h\nprivate_token = x\n"
    )
    with pytest.raises(CommandError, match=r"remote 'origin' is at (other\.example\.com|h),") as no:
        locate(ANY_SERVER, [None])
    assert no.value.code == 2
    git("remote", "add", "mirror", f"{gitlab.url}/group/app.git")
    with pytest.raises(CommandError, match=r"or --project group/app of remote 'mirror'$"):
        locate(ANY_SERVER, [None])


def test_alias_of_ssh_leads_to_its_host(checkout, tmp_path, monkeypatch):
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\necho user git\necho hostname 127.0.0.1\necho "$@" >> asked\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    git = checkout(remote="work:group/app.git")
    assert locate(ANY_SERVER, [None]).projects == ("group/app",)
    assert Path("asked").read_text() == "-G -- work\n"
    # Letters that a shell reads are not passed on.
    git("remote", "set-url", "origin", "git@a;b$(c):group/app.git")
    with pytest.raises(CommandError, match="but the server is"):
        locate(ANY_SERVER, [None])
    assert Path("asked").read_text() == "-G -- work\n"


def test_pasted_url_selects_server_and_token(home, gitlab, monkeypatch):
    file = home / ".python-gitlab.cfg"
    file.touch(0o600)
    file.write_text(
        "[a]\nurl = https://a.example.com\nprivate_token = of-a\n"
        "[root]\nurl = https://a.example.com/git\nprivate_token = of-root\n"
        "[bare]\nurl = https://bare.example.com\n"
    )

    def token(page, **options):
        place = locate(ServerOptions(**options), [parse_project(page)])
        return place.server.url, place.server.credentials.token, place.projects

    assert token(f"{gitlab.url}/group/app")[1] == gitlab.token
    for server in (gitlab.url, ""):
        monkeypatch.setenv("GITLAB_URL", server)
        assert token("https://a.example.com/group/app") == (
            "https://a.example.com", "of-a", ("group/app",),
        )  # fmt: skip
        assert token("https://a.example.com/git/group/app") == (
            "https://a.example.com/git", "of-root", ("group/app",),
        )  # fmt: skip
    # The environment's token never goes to a pasted URL, with or without a server of its own.
    for url in ("https://bare.example.com/a/b", "https://evil.example.com/a/b"):
        for server in (gitlab.url, ""):
            monkeypatch.setenv("GITLAB_URL", server)
            with pytest.raises(CommandError, match="expected --url with --token"):
                token(url)
    # Options name the server, and --token belongs to the usual one.
    for options in ({"url": gitlab.url}, {"profile": "root"}, {"token": "x"}):
        with pytest.raises(CommandError, match="but the server is"):
            token("https://a.example.com/group/app", **options)


async def test_cancelled_search_leaves_nothing(gitlab):
    gitlab.faults.add(Fault(latency=1000.0, times=None))
    before = await others()
    async with open_project(ANY_SERVER, Selection("group/app")) as finder:
        for call in (finder.pipeline(), finder.jobs(["lint"], 7)):
            task = asyncio.create_task(call)
            await until(lambda: open_connections(finder.gitlab))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert open_connections(finder.gitlab) == 0
    assert await others() == before
