"""The server named by the environment: every spelling, conflicts, and no guess without a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import BearerToken, JobToken, PrivateToken
from gitlab_jobs_async.api.credentials import from_environment
from gitlab_jobs_async.api.environment import CHOSEN, OF_THE_JOB, server_in
from gitlab_jobs_async.api.urls import ServerUrl

CORP = "https://gitlab.corp.example"
TOKEN = {"GITLAB_TOKEN": "t"}
JOB = {"CI_JOB_TOKEN": "j"}


def server(environ):
    url, credentials = from_environment(environ)
    parsed = ServerUrl.parse(url)
    return parsed.origin + parsed.prefix, credentials


@pytest.mark.parametrize("name", [*CHOSEN, *OF_THE_JOB])
@pytest.mark.parametrize(
    ("value", "named"),
    [
        (CORP, CORP),
        (f"{CORP}/", CORP),
        (f"{CORP}/api/v4", CORP),
        (f"{CORP}/api/v4/", CORP),
        (f"{CORP}/api/graphql", CORP),
        (f"  {CORP}\n", CORP),
        ("gitlab.corp.example", CORP),
        ("gitlab.corp.example/", CORP),
        ("gitlab.corp.example/api/v4/", CORP),
        ("//gitlab.corp.example", CORP),
        ("GITLAB.corp.Example", CORP),
        ("HTTPS://Gitlab.Corp.Example", CORP),
        ("gitlab.corp.example:8443", f"{CORP}:8443"),
        ("gitlab.corp.example:443", CORP),
        ("http://gitlab.corp.example:8080/", "http://gitlab.corp.example:8080"),
        ("gitlab.corp.example/git/lab", f"{CORP}/git/lab"),
        (f"{CORP}:8443/gitlab/api/v4", f"{CORP}:8443/gitlab"),
        ("10.0.0.7", "https://10.0.0.7"),
        ("[::1]:8080", "https://[::1]:8080"),
    ],
)
def test_each_variable_is_read(name, value, named):
    assert server({name: value, **TOKEN}) == (named, PrivateToken("t"))


@pytest.mark.parametrize("name", [*CHOSEN, *OF_THE_JOB])
@pytest.mark.parametrize(
    "value",
    [
        "https://",
        "ssh://git@host",
        "git@host",
        "https://u:hunter2@h",
        "a b",
        '"h"',
        "h:port",
        "h?x",
    ],
)
def test_invalid_value_names_its_variable(name, value):
    with pytest.raises(ValueError, match=f"^{name}: (invalid )?url ") as refused:
        from_environment({name: value, **TOKEN})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", [*CHOSEN, *OF_THE_JOB])
@pytest.mark.parametrize("value", ["", " ", "\n"])
def test_empty_variable_is_ignored(name, value):
    assert server({name: value, **TOKEN}) == ("https://gitlab.com", PrivateToken("t"))


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"GITLAB_URL": "http://h:8080", "GITLAB_HOST": "h:8080"}, "http://h:8080"),
        ({"GITLAB_HOST": "h", "GITLAB_URL": f"{'https://h'}:8443/gitlab"}, "https://h:8443/gitlab"),
        ({"GITLAB_HOST": "h", "GL_HOST": "h:8443"}, "https://h:8443"),
        ({"GITLAB_URL": "https://h", "GITLAB_API_URL": "https://h/api/v4/"}, "https://h"),
        ({"GITLAB_URL": "https://h/gl/", "GITLAB_BASE_URL": "https://h/gl/api/v4"}, "https://h/gl"),
        ({"GITLAB_URL": "https://h:443", "GITLAB_URI": "HTTPS://H"}, "https://h"),
        # glab: the API may stand on another host than the pages.
        ({"GITLAB_HOST": "h", "GITLAB_API_HOST": "api.h"}, "https://api.h"),
        ({"GITLAB_URI": "https://h", "GITLAB_API_HOST": "api.h:8443"}, "https://api.h:8443"),
        # A job of one server may talk to another.
        ({"GITLAB_HOST": "other", "CI_SERVER_URL": "https://h"}, "https://other"),
        # All that GitLab sets in one job.
        (
            {
                "CI_SERVER_URL": "http://h:8080/gitlab",
                "CI_API_V4_URL": "http://h:8080/gitlab/api/v4",
                "CI_API_GRAPHQL_URL": "http://h:8080/gitlab/api/graphql",
                "CI_SERVER_FQDN": "h:8080",
                "CI_SERVER_HOST": "h",
                "CI_SERVER_PROTOCOL": "http",
                "CI_SERVER_PORT": "8080",
            },
            "http://h:8080/gitlab",
        ),
        (
            {"CI_SERVER_HOST": "h", "CI_SERVER_PROTOCOL": "http", "CI_SERVER_PORT": "8080"},
            "http://h:8080",
        ),
        ({"CI_SERVER_FQDN": "h:8443", "CI_SERVER_PORT": "8443"}, "https://h:8443"),
        ({"CI_SERVER_HOST": "h", "CI_SERVER_PORT": "443"}, "https://h"),
    ],
)
def test_agreeing_variables_name_one_server(environ, named):
    assert server({**environ, **TOKEN}) == (named, PrivateToken("t"))
    assert server({**dict(reversed(environ.items())), **TOKEN}) == (named, PrivateToken("t"))


@pytest.mark.parametrize(
    "environ",
    [
        {"GITLAB_URL": "https://one", "GITLAB_HOST": "two"},
        {"GITLAB_HOST": "one", "GL_HOST": "two"},
        {"GITLAB_HOST": "h:1", "GL_HOST": "h:2"},
        {"GITLAB_URL": "https://h", "GITLAB_HOST": "h:8443"},
        {"GITLAB_URL": "https://h", "GITLAB_API_URL": "http://h/api/v4"},
        {"GITLAB_URL": "https://h", "GITLAB_BASE_URL": "https://h/gitlab"},
        {"GITLAB_URL": "https://h/a", "GITLAB_HOST": "h/b"},
        {"GITLAB_URL": "https://h", "GITLAB_API_HOST": "api.h"},
        {"GITLAB_URL": "https://h", "GITLAB_HOST": "h.evil.example"},
        {"CI_SERVER_URL": "https://one", "CI_API_V4_URL": "https://two/api/v4"},
        {"CI_SERVER_URL": "https://one", "CI_SERVER_HOST": "two"},
        {"CI_SERVER_FQDN": "one", "CI_SERVER_HOST": "two"},
    ],
)
@pytest.mark.parametrize("url", [None, "https://one"])
def test_conflict_names_both_variables(environ, url):
    one, two = environ
    token = JOB if one.startswith("CI") else TOKEN
    with pytest.raises(ValueError, match="name different servers") as refused:
        from_environment({**environ, **token}, url)
    assert one in str(refused.value)
    assert two in str(refused.value)
    assert from_environment(environ, "https://one") == ("https://one", None)


@pytest.mark.parametrize(
    "name",
    [
        "GITLAB_DOMAIN",
        "GITLAB_FQDN",
        "GITLAB_HOSTNAME",
        "GITLAB_INSTANCE",
        "GITLAB_API",
        "GITLAB_API_V4_URL",
        "GITLAB_EXTERNAL_URL",
        "GITLAB_BASEURL",
        "GITLAB_CI_URL",
        "GITLAB_CLIENT_URL",
        "GITLAB_CLOUD_URL",
        "GITLAB_ENTERPRISE_URL",
        "GITLAB_SELF_HOSTED_URL",
        "GITLAB_SELF_MANAGED_URL",
        "GITLAB_URL_BASE",
        "GITLAB_SERVER_HOST",
        "GLAB_HOST",
        "GL_SERVER_URL",
    ],
)
def test_unknown_name_forbids_to_guess_gitlab_com(name):
    for value in (
        CORP,
        "gitlab.corp.example",
        "localhost",
        "h:80",
        "https://h/api/v4",
        "http://[x",
    ):
        with pytest.raises(ValueError, match=f"^{name} seems to name another server than https:"):
            from_environment({name: value, **TOKEN})
    for value in ("https://gitlab.com/api/v4", "gitlab.com", "docs.gitlab.com", "yes", "", "1"):
        assert server({name: value, **TOKEN}) == ("https://gitlab.com", PrivateToken("t"))
    chosen = {name: CORP, "GITLAB_URL": "https://h", **TOKEN}
    assert server(chosen) == ("https://h", PrivateToken("t"))


@pytest.mark.parametrize("name", ["GITLAB_HOSTNAME", "GITLAB_DOMAIN", "GITLAB_SERVER_HOST"])
def test_host_of_one_word_forbids_to_guess(name):
    with pytest.raises(ValueError, match=f"^{name} seems to name another server than https:"):
        from_environment({name: "gitlab", **TOKEN})
    for value in ("on", "False", "none", "80"):
        assert server({name: value, **TOKEN}) == ("https://gitlab.com", PrivateToken("t"))


@pytest.mark.parametrize(
    "name",
    ["GITLAB_WEBHOOK_URL", "GITLAB_USER_HOST", "MY_GITLAB_URL", "GITLAB_URLS", "CI_REGISTRY"],
)
def test_other_variables_are_ignored(name):
    assert server({name: CORP, **TOKEN}) == ("https://gitlab.com", PrivateToken("t"))


def test_job_without_server_is_not_gitlab_com():
    with pytest.raises(ValueError, match="CI_JOB_TOKEN is set, but no variable names"):
        from_environment({**JOB, **TOKEN})


@pytest.mark.parametrize(
    ("environ", "url", "found"),
    [
        ({"GITLAB_HOST": "h", **TOKEN}, "https://h", PrivateToken("t")),
        ({"GITLAB_HOST": "h", **TOKEN}, "https://h/api/v4/", PrivateToken("t")),
        ({"GITLAB_HOST": "h", **TOKEN}, "http://h", None),
        ({"GITLAB_HOST": "h", **TOKEN}, "https://h:8443", None),
        ({"GITLAB_HOST": "h", **TOKEN}, "https://gitlab.com", None),
        ({"GL_HOST": "h", "GITLAB_OAUTH_TOKEN": "o"}, "https://other", None),
        ({"GL_HOST": "h", "GITLAB_OAUTH_TOKEN": "o"}, "https://h", BearerToken("o")),
        ({"CI_SERVER_HOST": "h", **JOB}, "https://h", JobToken("j")),
        ({"CI_API_V4_URL": "https://h/api/v4", **JOB}, "https://h", JobToken("j")),
        ({"CI_API_V4_URL": "https://h/api/v4", **JOB}, "https://other", None),
        # A job's own token stays with its server while another one was chosen.
        ({"GITLAB_HOST": "other", "CI_SERVER_URL": "https://h", **JOB}, None, None),
    ],
)
def test_token_is_for_its_own_server_only(environ, url, found):
    assert from_environment(environ, url)[1] == found


@given(
    st.sampled_from([*CHOSEN, *OF_THE_JOB]),
    st.sampled_from(["", "https://", "HTTPS://", "//"]),
    st.sampled_from(["", ":443", ":8443"]),
    st.sampled_from(["", "/", "/gl", "/gl/"]),
    st.sampled_from(["", "api/v4", "api/v4/"]),
    st.sampled_from(["", " ", "\t", "\n"]),
)
def test_spelling_changes_no_server(name, scheme, port, path, api, space):
    tail = path + ("/" if api and not path.endswith("/") else "") + api
    named = server_in({name: f"{space}{scheme}Git.Example{port}{tail}{space}"})
    expected = "https://git.example" + ("" if port == ":443" else port) + path.rstrip("/")
    assert named.server == ServerUrl.parse(expected)
    assert named.variable == name
