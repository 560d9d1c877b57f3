"""Unmodified clients of GitLab, pointed at the simulator, work as they do against GitLab."""

import aiohttp
import gidgetlab
import gitlab as python_gitlab
import pytest
from gidgetlab.aiohttp import GitLabAPI

from gitlab_jobs_async.simulator import (
    Fault,
    JobPlan,
    MergeRequest,
    Simulator,
    SimulatorSettings,
    SteppedClock,
    default_world,
)

NOW = 1_750_000_000.0


@pytest.fixture
def clock():
    return SteppedClock(NOW)


@pytest.fixture
def simulated(clock):
    world = default_world(NOW)
    world.add_finished_jobs(world.projects[0], 250)
    with Simulator(world, clock=clock) as gitlab:
        yield gitlab


@pytest.fixture
def project(simulated):
    client = python_gitlab.Gitlab(simulated.url, private_token=simulated.token)
    with client:
        yield client.projects.get("group/app")


def newest_first(simulated):
    return [job.id for job in reversed(simulated.world.projects[0].builds)]


class TestPythonGitlab:
    def test_signs_in(self, simulated):
        with python_gitlab.Gitlab(simulated.url, private_token=simulated.token) as client:
            client.auth()
            assert client.user.username == "root"
            assert client.version()[0] == "19.5.0"
            assert [project.id for project in client.projects.list(get_all=True)] == [1]

    @pytest.mark.parametrize("options", [{}, {"pagination": "keyset", "order_by": "id"}])
    def test_lists_all_jobs(self, simulated, project, options):
        jobs = project.jobs.list(get_all=True, per_page=50, **options)
        assert [job.id for job in jobs] == newest_first(simulated)
        listed = [r for r in simulated.requests if r.path.endswith("/jobs")]
        assert len(listed) == 6

    def test_creates_and_changes_pipelines(self, simulated, project):
        variables = [{"key": "LEVEL", "value": "full"}]
        made = project.pipelines.create({"ref": "main", "variables": variables})
        assert simulated.world.pipelines[made.id].variables == {"LEVEL": "full"}
        assert project.pipelines.latest(ref="main").id == made.id
        assert project.commits.get("main").last_pipeline["id"] == made.id
        made.cancel()
        made.retry()
        assert project.pipelines.get(made.id).status in {"pending", "running"}
        made.delete()
        assert project.pipelines.list(get_all=True, ref="main")[0].id != made.id
        with pytest.raises(python_gitlab.GitlabCreateError, match="Reference not found"):
            project.pipelines.create({"ref": "none"})

    def test_lists_pipelines_of_a_merge_request(self, simulated, project):
        app = simulated.world.project("group/app")
        request = MergeRequest(iid=4, source_branch="topic")
        made = simulated.world.add_pipeline(app, merge_request=request)
        found = project.mergerequests.get(4, lazy=True).pipelines.list(get_all=True)
        assert [pipeline.id for pipeline in found] == [made.id]

    def test_lists_projects_of_a_group(self, simulated, project):
        simulated.world.add_project("group/sub/lib").archived = True
        group = project.manager.gitlab.groups.get("group", lazy=True)
        listed = group.projects.list(include_subgroups=True, get_all=True)
        assert [row.path_with_namespace for row in listed] == ["group/sub/lib", "group/app"]
        listed = group.projects.list(include_subgroups=True, archived=False, iterator=True)
        assert (listed.total, [row.id for row in listed]) == (1, [project.id])

    def test_iterates_with_known_totals(self, project):
        iterator = project.jobs.list(iterator=True, per_page=100)
        assert (iterator.total, iterator.total_pages, iterator.per_page) == (None, None, 100)
        assert len(list(iterator)) == 254
        assert project.pipelines.list(iterator=True).total == 14

    def test_lists_by_scope(self, project):
        jobs = project.jobs.list(scope=["running", "manual"], get_all=True)
        assert {job.status for job in jobs} == {"running", "manual"}
        assert {job.status for job in project.jobs.list(scope="failed", get_all=True)} == {"failed"}

    def test_pages_and_links_to_another_host(self, clock):
        settings = SimulatorSettings(external_url="https://gitlab.example.com")
        forwarded = Simulator(default_world(NOW), settings, clock)
        with (
            forwarded as gitlab,
            python_gitlab.Gitlab(gitlab.url, gitlab.token, keep_base_url=True) as client,
        ):
            jobs = client.projects.get(1, lazy=True).jobs.list(get_all=True, per_page=1)
            assert [job.id for job in jobs] == [4, 3, 2, 1]
            assert len(gitlab.requests) == 4

    def test_pipelines_jobs_and_bridges(self, project):
        pipeline = project.pipelines.get(1)
        assert (pipeline.status, pipeline.project_id) == ("running", 1)
        names = [job.name for job in pipeline.jobs.list(get_all=True)]
        assert names == ["deploy", "flaky", "unit", "compile"]
        assert pipeline.bridges.list(get_all=True) == []
        assert project.pipelines.latest().id > 1

    def test_gets_a_job_and_its_trace(self, project, clock):
        job = project.jobs.get(2)
        assert (job.status, job.name, job.pipeline["id"]) == ("running", "unit", 1)
        before = job.trace()
        clock.advance(60)
        after = job.trace()
        assert len(after) > len(before)
        assert after.startswith(before)
        assert job.trace(byte_offset=3, byte_limit=100) == after[3:103]
        streamed = b"".join(job.trace(streamed=True, iterator=True))
        assert streamed == after

    def test_cancels_retries_erases_and_plays(self, project):
        running = project.jobs.get(2)
        assert running.cancel()["status"] == "canceled"
        assert running.cancel()["status"] == "canceled"
        failed = project.jobs.get(3)
        new = failed.retry()
        assert (new["id"] > 3, new["status"]) == (True, "pending")
        with pytest.raises(python_gitlab.exceptions.GitlabJobRetryError, match="not retryable"):
            failed.retry()
        project.jobs.get(1).erase()
        assert project.jobs.get(1).trace() == b""
        with pytest.raises(python_gitlab.exceptions.GitlabJobEraseError, match="not erasable"):
            project.jobs.get(1).erase()
        project.jobs.get(4).play()
        assert project.jobs.get(4).status == "pending"
        with pytest.raises(python_gitlab.exceptions.GitlabJobPlayError, match="Unplayable"):
            project.jobs.get(2).play()

    def test_plays_with_variables(self, project, simulated):
        variables = [{"key": "A", "value": "1"}]
        project.manager.gitlab.http_post(
            "/projects/1/jobs/4/play", post_data={"job_variables_attributes": variables}
        )
        assert simulated.world.jobs[4].variables == {"A": "1"}

    def test_artifacts(self, project):
        job = project.jobs.get(1)
        assert job.artifacts()[:2] == b"PK"
        assert job.artifact("coverage/index.html").startswith(b"<html>")
        job.keep_artifacts()
        job.delete_artifacts()
        with pytest.raises(python_gitlab.exceptions.GitlabGetError) as caught:
            job.artifacts()
        assert caught.value.response_code == 404

    def test_artifacts_by_ref(self, project, simulated, clock):
        app = simulated.world.project("group/app")
        pipeline = simulated.world.add_pipeline(app, ref="x/y")
        plan = JobPlan(duration=1.0, artifacts={"a/b.txt": b"text"})
        simulated.world.add_job(pipeline, "build", plan=plan)
        clock.advance(60)
        assert project.artifacts.download(ref_name="x/y", job="build")[:2] == b"PK"
        page = project.artifacts.raw(ref_name="x/y", artifact_path="a/b.txt", job="build")
        assert page == b"text"

    def test_artifacts_from_another_host(self, clock):
        settings = SimulatorSettings(object_storage=True)
        with (
            Simulator(settings=settings, clock=clock) as gitlab,
            python_gitlab.Gitlab(gitlab.url, oauth_token=gitlab.token) as client,
        ):
            content = client.projects.get(1, lazy=True).jobs.get(1, lazy=True).artifacts()
            assert content[:2] == b"PK"
            assert "authorization" not in gitlab.storage_requests[0].headers

    def test_whole_pipelines(self, project):
        pipeline = project.pipelines.get(1)
        pipeline.cancel()
        assert project.jobs.get(2).status == "canceled"
        pipeline.retry()
        assert project.pipelines.get(1).status in {"running", "pending"}

    def test_errors_speak_gitlabs_words(self, project, simulated):
        with pytest.raises(python_gitlab.exceptions.GitlabGetError, match="404 Not found"):
            project.jobs.get(10**9)
        refused = pytest.raises(python_gitlab.exceptions.GitlabAuthenticationError, match="401")
        with python_gitlab.Gitlab(simulated.url, private_token="bad") as client, refused:
            client.projects.get(1, lazy=True).jobs.list(get_all=False)

    def test_rides_out_a_429(self, project, simulated):
        simulated.faults.add(Fault.throttled(retry_after=0), Fault.too_many_requests(retry_after=0))
        assert project.jobs.get(1).id == 1

    def test_job_token(self, simulated):
        token = simulated.world.jobs[2].token
        with python_gitlab.Gitlab(simulated.url, job_token=token) as client:
            assert client.http_get("/job")["id"] == 2

    def test_groups(self, simulated):
        world = simulated.world
        world.add_project("group/deep/lib")
        world.add_project("tools/lint").shared_with = frozenset({"group"})
        with python_gitlab.Gitlab(simulated.url, private_token=simulated.token) as client:
            group = client.groups.get("group")
            assert client.groups.get(group.id).full_path == "group"

            def listed(**options):
                rows = group.projects.list(get_all=True, per_page=1, **options)
                return [row.path_with_namespace for row in rows]

            assert listed() == ["tools/lint", "group/app"]
            assert listed(with_shared=False, include_subgroups=True) == [
                "group/deep/lib", "group/app",
            ]  # fmt: skip
            assert listed(search="lint") == ["tools/lint"]
            with pytest.raises(python_gitlab.exceptions.GitlabGetError, match="404"):
                client.groups.get("none")


class TestGidgetlab:
    @pytest.fixture
    async def client(self, simulated):
        async with aiohttp.ClientSession() as session:
            yield GitLabAPI(
                session, "tests", url=simulated.url, access_token=simulated.token, cache={}
            )

    @pytest.mark.parametrize(
        "query", ["per_page=50", "per_page=50&pagination=keyset&order_by=id&sort=desc"]
    )
    async def test_lists_all_jobs(self, client, simulated, query):
        found = [job["id"] async for job in client.getiter(f"/projects/1/jobs?{query}")]
        assert found == newest_first(simulated)

    async def test_lists_by_scope(self, client):
        jobs = client.getiter("/projects/group%2Fapp/jobs", {"scope[]": ["running", "manual"]})
        assert {job["status"] async for job in jobs} == {"running", "manual"}

    async def test_gets_and_follows(self, client, clock):
        assert (await client.getitem("/projects/1/jobs/2"))["status"] == "running"
        before = await client.getitem("/projects/1/jobs/2/trace")
        clock.advance(60)
        after = await client.getitem("/projects/1/jobs/2/trace")
        assert after.startswith(before)

    async def test_reads_from_its_cache_after_a_304(self, client, simulated):
        first = await client.getitem("/projects/1/jobs/1")
        assert await client.getitem("/projects/1/jobs/1") == first
        assert [record.status for record in simulated.requests] == [200, 304]

    async def test_acts(self, client):
        assert (await client.post("/projects/1/jobs/2/cancel", data={}))["status"] == "canceled"
        assert (await client.post("/projects/1/jobs/3/retry", data={}))["id"] > 4
        assert (await client.post("/projects/1/jobs/1/erase", data={}))["erased_at"]
        variables = {"job_variables_attributes": [{"key": "A", "value": "1"}]}
        assert (await client.post("/projects/1/jobs/4/play", data=variables))["id"] == 4
        with pytest.raises(gidgetlab.BadRequest, match="Unplayable Job"):
            await client.post("/projects/1/jobs/2/play", data={})
        with pytest.raises(gidgetlab.BadRequest, match="403"):
            await client.post("/projects/1/jobs/1/erase", data={})

    async def test_reads_rate_limits(self, clock):
        settings = SimulatorSettings(api_limit=3)
        async with (
            Simulator(settings=settings, clock=clock) as gitlab,
            aiohttp.ClientSession() as session,
        ):
            client = GitLabAPI(session, "tests", url=gitlab.url, access_token=gitlab.token)
            await client.getitem("/version")
            assert (client.rate_limit.limit, client.rate_limit.remaining) == (3, 2)
