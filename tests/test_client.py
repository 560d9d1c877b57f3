"""The client: settings, job-token endpoints, and many projects at once."""

import pytest

from gitlab_jobs_async import (
    BearerToken,
    GitLab,
    JobToken,
    NotFoundError,
    PrivateToken,
    Request,
    RequestBudget,
    RetryPolicy,
)
from tests.support.cancellation import cancel_half_way
from tests.support.tasks import others, prompt

UNIT = 2


async def test_client_shares_one_budget(simulator):
    budget = RequestBudget(per_minute=100)
    async with GitLab(simulator.url, auth=simulator.token, budget=budget) as gitlab:
        assert gitlab.budget is budget
        await gitlab.list_jobs([1, "group/app"])
        await gitlab.project(1).get_job(1)
        known = gitlab.budget.snapshot()
        assert (known.limit, known.used) == (100, len(simulator.requests))
    assert GitLab().budget is not GitLab().budget
    with pytest.raises(TypeError, match="budget must be a RequestBudget, not 100"):
        GitLab(budget=100)


@pytest.mark.parametrize("via", ["header", "bearer", "query"])
async def test_job_token_reads_its_own_job(simulator, via):
    simulator.world.add_agent(simulator.world.project("group/app"))
    auth = JobToken(simulator.world.jobs[UNIT].token, via=via)
    async with GitLab(simulator.url, auth=auth) as gitlab:
        assert (await gitlab.get_token_job()).id == UNIT
        agents = await gitlab.get_allowed_agents()
    assert agents.job.id == UNIT
    assert agents.allowed_agents[0].config_project.path_with_namespace == "group/app"


@pytest.mark.parametrize("kind", [PrivateToken, BearerToken, str])
async def test_private_token_has_no_job(simulator, kind):
    async with GitLab(simulator.url, auth=kind(simulator.token)) as gitlab:
        assert (await gitlab.send(Request("GET", "/user"))).json()["username"] == "root"
        with pytest.raises(NotFoundError, match="404 Job Not Found"):
            await gitlab.get_token_job()


async def test_list_jobs_fetches_projects_concurrently(gitlab, simulator):
    for number in range(20):
        project = simulator.world.add_project(f"p{number}")
        simulator.world.add_finished_jobs(project, number)
    names = [f"p{number}" for number in range(20)]
    listed = await gitlab.list_jobs([*names, 1, "p3"], scope=["success", "failed", "manual"])
    assert list(listed) == [*names, 1]
    assert [len(listed[name]) for name in names] == list(range(20))
    assert await gitlab.list_jobs([]) == {}


@prompt
async def test_failing_project_ends_list_jobs(gitlab):
    with pytest.raises(NotFoundError, match="404 Project Not Found") as failed:
        await gitlab.list_jobs(["group/app", "group/secret"])
    assert "group%2Fsecret" in str(failed.value)
    assert not [task for task in await others() if "list_jobs" in repr(task)]


@pytest.mark.parametrize("projects", ["group/app", b"ab", 17])
async def test_one_project_is_not_several(gitlab, simulator, projects):
    with pytest.raises(TypeError, match="projects must be several ids or paths, not"):
        await gitlab.list_jobs(projects)
    assert simulator.requests == []


async def test_invalid_project_raises_before_requests(gitlab, simulator):
    with pytest.raises(ValueError, match="project ''"):
        await gitlab.list_jobs(["group/app", ""])
    with pytest.raises(TypeError, match="project must be a whole number above 0, not True"):
        await gitlab.list_jobs([1, True])
    with pytest.raises(ValueError, match="unknown scope 'faild'"):
        await gitlab.list_jobs(["group/app"], scope="faild")
    with pytest.raises(ValueError, match="project ''"):
        gitlab.project("")
    assert simulator.requests == []


@prompt
async def test_cancelled_list_jobs_leaves_nothing(gitlab, simulator):
    await cancel_half_way(simulator, gitlab, gitlab.list_jobs([1, "group/app"]))


@pytest.mark.parametrize("name", ["get_token_job", "get_allowed_agents"])
@prompt
async def test_a_call_cancelled_half_way_leaves_nothing(gitlab, simulator, name):
    await cancel_half_way(simulator, gitlab, getattr(gitlab, name)())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "gitlab.com"}, "url 'gitlab.com' has no http://"),
        ({"auth": ""}, "the token is empty"),
        ({"auth": 7}, "auth is a int"),
        ({"concurrency": 0}, "concurrency must be a whole number above 0, not 0"),
        ({"concurrency": True}, "not True"),
        ({"timeout": 0}, "timeout must be a number of seconds above 0, not 0"),
        ({"timeout": "30"}, "not '30'"),
        ({"timeout": None}, "not None"),
        ({"retry": 3}, "retry must be a RetryPolicy, not 3"),
        ({"session": "x"}, "session must be an aiohttp.ClientSession, not 'x'"),
    ],
)
def test_invalid_argument_is_rejected(wrong, said):
    with pytest.raises((TypeError, ValueError), match=said):
        GitLab(**wrong)


async def test_the_environment_names_server_and_token(simulator, environment):
    environment.setenv("GITLAB_URL", simulator.url)
    environment.setenv("GITLAB_TOKEN", simulator.token)
    async with GitLab.from_env(retry=RetryPolicy(attempts=1)) as gitlab:
        assert (await gitlab.send(Request("GET", "/user"))).json()["username"] == "root"


async def test_a_job_finds_its_own_server_and_token(simulator, environment):
    environment.setenv("CI_SERVER_URL", simulator.url)
    environment.setenv("CI_JOB_TOKEN", simulator.world.jobs[UNIT].token)
    async with GitLab.from_env() as gitlab:
        assert (await gitlab.get_token_job()).id == UNIT
    with pytest.raises(ValueError, match=r"no token for https://gitlab\.com in the environment"):
        GitLab.from_env(url="https://gitlab.com")


def test_from_env_without_token_names_variables():
    with pytest.raises(ValueError, match="expected GITLAB_TOKEN, GITLAB_PRIVATE_TOKEN or"):
        GitLab.from_env()
    assert repr(GitLab.from_env(auth=None)) == "GitLab('https://gitlab.com')"


def test_a_glab_users_server_is_theirs(environment):
    environment.setenv("GITLAB_HOST", "gitlab.corp.example")
    environment.setenv("GITLAB_TOKEN", "t")
    assert repr(GitLab.from_env()) == "GitLab('https://gitlab.corp.example')"
    with pytest.raises(
        ValueError, match=r"no token for https://gitlab\.com in the environment \(G"
    ):
        GitLab.from_env(url="https://gitlab.com")
    environment.setenv("GITLAB_URL", "https://other.example")
    with pytest.raises(ValueError, match="GITLAB_URL and GITLAB_HOST name different servers"):
        GitLab.from_env()
    assert repr(GitLab.from_env(url="https://h", auth="x")) == "GitLab('https://h')"


def test_from_env_refuses_to_guess_gitlab_com(environment):
    environment.setenv("GITLAB_DOMAIN", "gitlab.corp.example")
    environment.setenv("GITLAB_TOKEN", "t")
    for overrides in ({}, {"auth": "x"}, {"auth": None}):
        with pytest.raises(ValueError, match="GITLAB_DOMAIN seems to name another server than"):
            GitLab.from_env(**overrides)
