"""Tokens: how each kind is sent, and that nothing else shows one."""

import pickle
import traceback

import pytest
from attrs import asdict

from gitlab_jobs_async import BearerToken, JobToken, PrivateToken, Request
from gitlab_jobs_async.api.credentials import credentials_from, from_environment, redactor
from tests.support.credentials import CREDENTIALS, SECRET

JOB = Request("GET", "/job", [("x", "1")])


@pytest.mark.parametrize(
    ("credentials", "headers", "params"),
    [
        (CREDENTIALS[0], (("PRIVATE-TOKEN", SECRET),), (("x", "1"),)),
        (CREDENTIALS[1], (("Authorization", f"Bearer {SECRET}"),), (("x", "1"),)),
        (CREDENTIALS[2], (("JOB-TOKEN", SECRET),), (("x", "1"),)),
        (CREDENTIALS[3], (("Authorization", f"Bearer {SECRET}"),), (("x", "1"),)),
        (CREDENTIALS[4], (), (("x", "1"), ("job_token", SECRET))),
    ],
)
def test_each_kind_signs_in_its_own_place(credentials, headers, params):
    signed = credentials.sign(JOB)
    assert (signed.headers, signed.params) == (headers, params)
    assert JOB.headers == ()


@pytest.mark.parametrize("credentials", CREDENTIALS)
def test_no_repr_shows_a_token(credentials):
    shown = f"{credentials!r} {credentials} {credentials.sign(JOB)!r}"
    assert SECRET not in shown
    assert redactor(credentials)(f"bad {SECRET}!") == "bad [token]!"
    assert redactor(None)("said") == "said"


@pytest.mark.parametrize(
    "written", ["glpat-a/b+c=", "glpat-a%2Fb%2Bc%3D", "glpat-a/b%2Bc%3D", "Z2xwYXQtYS9iK2M9"]
)
def test_redactor_hides_every_encoding(written):
    assert redactor(PrivateToken("glpat-a/b+c="))(f"<{written}>") == "<[token]>"


def test_string_is_a_private_token():
    assert credentials_from(SECRET) == PrivateToken(SECRET)
    assert credentials_from(None) is None
    assert credentials_from(CREDENTIALS[2]) is CREDENTIALS[2]


@pytest.mark.parametrize("kind", [PrivateToken, BearerToken, JobToken])
@pytest.mark.parametrize("token", ["", " x", "x\n", "x\r\nHost: evil", "tökén", "a b", "\x00"])
def test_invalid_token_is_refused_unshown(kind, token):
    with pytest.raises(
        ValueError, match=r"(the token is empty|invalid token \(not shown\))"
    ) as refused:
        kind(token)
    assert not token or token not in "".join(traceback.format_exception(refused.value)[-1:])


@pytest.mark.parametrize("auth", [7, b"bytes", True, object()])
def test_other_types_are_refused(auth):
    with pytest.raises(TypeError, match="expected a private token as a string"):
        credentials_from(auth)
    with pytest.raises(TypeError, match="expected a string"):
        PrivateToken(auth)


def test_job_token_is_sent_in_three_ways():
    with pytest.raises(ValueError, match="'cookie'"):
        JobToken(SECRET, via="cookie")  # type: ignore[arg-type]  # on purpose


def test_credentials_survive_pickling():
    assert pickle.loads(pickle.dumps(CREDENTIALS)) == CREDENTIALS
    assert asdict(CREDENTIALS[0]) == {"token": SECRET}


CI = {"CI_SERVER_URL": "https://gitlab.example.com", "CI_JOB_TOKEN": "job"}


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, ("https://gitlab.com", None)),
        ({"GITLAB_TOKEN": "t"}, ("https://gitlab.com", PrivateToken("t"))),
        ({"GITLAB_PRIVATE_TOKEN": "t"}, ("https://gitlab.com", PrivateToken("t"))),
        ({"GITLAB_OAUTH_TOKEN": "t"}, ("https://gitlab.com", BearerToken("t"))),
        ({"GITLAB_URL": "https://g", "GITLAB_TOKEN": "t"}, ("https://g", PrivateToken("t"))),
        (CI, ("https://gitlab.example.com", JobToken("job"))),
        ({**CI, "GITLAB_TOKEN": "t"}, ("https://gitlab.example.com", PrivateToken("t"))),
        ({**CI, "GITLAB_URL": "https://gitlab.example.com/"},
         ("https://gitlab.example.com/", JobToken("job"))),
        ({**CI, "GITLAB_URL": "https://other"}, ("https://other", None)),
        ({"CI_JOB_TOKEN": "job"}, ("https://gitlab.com", None)),
        ({**CI, "GITLAB_URL": "https://GITLAB.example.com/api/v4"},
         ("https://GITLAB.example.com/api/v4", JobToken("job"))),
        ({"GITLAB_URL": "", "GITLAB_TOKEN": "", **CI},
         ("https://gitlab.example.com", JobToken("job"))),
    ],
)  # fmt: skip
def test_environment_gives_server_and_token(environ, found):
    assert from_environment(environ) == found


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"GITLAB_TOKEN": "t"}, PrivateToken("t")),
        ({"GITLAB_TOKEN": "t", "GITLAB_URL": "https://mine/"}, PrivateToken("t")),
        ({"GITLAB_TOKEN": "t", "GITLAB_URL": "https://other"}, None),
        ({"GITLAB_OAUTH_TOKEN": "t", "GITLAB_URL": "https://other"}, None),
        (CI, None),
        ({**CI, "CI_SERVER_URL": "https://mine"}, JobToken("job")),
    ],
)
def test_token_of_another_server_is_ignored(environ, found):
    assert from_environment(environ, "https://mine") == ("https://mine", found)
