"""Error responses: GitLab's four envelopes, as the right class with the server's message."""

import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DecodeError,
    GitLabError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    Response,
    ResponseError,
    ServerError,
)
from gitlab_jobs_async.api.responses import error_of, http_date, retry_after

NOW = 1_700_000_000.0


def answer(status=400, body=b"", **headers):
    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, lower, body, "GET", "https://gitlab.example.com/api/v4/x")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError), (401, AuthenticationError), (403, PermissionDeniedError),
        (404, NotFoundError), (405, MethodNotAllowedError), (409, ConflictError),
        (422, BadRequestError), (429, RateLimitedError), (500, ServerError), (502, ServerError),
        (520, ServerError), (412, ResponseError), (418, ResponseError), (302, ResponseError),
    ],
)  # fmt: skip
def test_status_maps_to_its_class(status, kind):
    error = error_of(answer(status, b'{"message":"m"}'), NOW)
    assert type(error) is kind
    assert isinstance(error, GitLabError)
    assert error.status == status


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"message":"404 Project Not Found"}', "404 Project Not Found"),
        (b'{"message":{"error":"This endpoint has been requested too many times."}}',
         "This endpoint has been requested too many times."),
        (b'{"message":{"ref":["is missing","is bad"],"base":["x"]}}',
         "ref is missing, is bad; x"),
        (b'{"message":["one","two"]}', "one, two"),
        (b'{"error":"scope does not have a valid value"}', "scope does not have a valid value"),
        (b'{"error":"invalid_token","error_description":"Token was revoked."}',
         "invalid_token: Token was revoked."),
        (b'{"error":"insufficient_scope","error_description":"Higher privileges.","scope":"api"}',
         "insufficient_scope: Higher privileges. (scope: api)"),
        (b"Retry later\n", "Retry later"),
        (b"<html><head><title>502 Bad &amp; Gateway</title>", "an HTML page titled '502 Bad & Gat"),
        (b"<!DOCTYPE html><p>", "an HTML page"),
        (b"", "(no message)"),
        (b"\xff\xfe broken", "\ufffd\ufffd broken"),
        (b'{"message":', '{"message":'),
        (b"null", "(no message)"),
        (b'{"message":null}', "(no message)"),
        (b'{"message":"","error":"real"}', "real"),
        (b"[" * 100 + b"]" * 100, "…"),
        (b'"\\u001b[31mred\\u0007"', "\ufffd[31mred\ufffd"),
    ],
)  # fmt: skip
def test_error_has_the_servers_message(body, words):
    assert error_of(answer(400, body), NOW).message.startswith(words)


@given(st.binary(max_size=300), st.integers(300, 599))
def test_any_body_makes_one_printable_line(body, status):
    message = error_of(answer(status, body), NOW).message
    assert message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "60"}, 60),
        ({"retry_after": " 0 "}, 0),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "5.5"}, 5.5),
        ({"retry_after": "5, 60"}, 60),
        ({"retry_after": "9" * 400}, 1e9),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "٣"}, None),
        ({"retry_after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30),
        ({"retry_after": "Tue, 14 Nov 2023 22:00:00 GMT"}, 0),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT", "date": "Wed, 21 Oct 2015 07:27:00 GMT"},
         60),
        ({"retry_after": "Tue, 99 Nov 2023 22:13:50 GMT"}, None),
        ({"retry_after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 1e9),
    ],
)  # fmt: skip
def test_retry_after_is_never_negative(headers, seconds):
    assert retry_after(answer(429, **headers).headers, NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "Tue, 14 Nov 2023 22:13:50 GMT",
        "Tue, 14 Nov 2023 22:13:50 -0000",
        "Tuesday, 14-Nov-23 22:13:50 GMT",
        "Tue Nov 14 22:13:50 2023",
    ],
)
def test_http_date_ignores_the_local_zone(text, monkeypatch):
    """The three forms of https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7, and mail's own."""
    try:
        with monkeypatch.context() as environment:
            environment.setenv("TZ", "America/New_York")
            time.tzset()
            assert http_date(text) == NOW + 30
    finally:
        time.tzset()


@pytest.mark.parametrize("page", [b"%b", b"<html><title>%b</title>", b'{"message":"%b"}'])
@pytest.mark.parametrize("before", [485, 495, 499, 1995])
def test_token_is_hidden_before_shortening(page, before):
    body = page % (b"x" * before + b"glpat-s3cret")
    error = error_of(answer(400, body), NOW, lambda said: said.replace("glpat-s3cret", ""))
    assert "g" not in error.message.removeprefix("an HTML page")


def test_error_names_request_and_retry():
    error = error_of(answer(429, b"Retry later\n", retry_after="60", x_request_id="01J"), NOW)
    assert str(error) == (
        "GET https://gitlab.example.com/api/v4/x: HTTP 429: Retry later "
        "(retry after 60 s) (request 01J)"
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.retry_after) == (RateLimitedError, str(error), 60)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<!DOCTYPE html><html><title>Sign in</title>",
         "expected JSON, got an HTML page @ $"),
        (b'[{"id": 1, "na', "expected JSON, got unexpected end of data"),
        (b"", "expected JSON, got "),
    ],
)  # fmt: skip
def test_body_that_is_not_json_is_an_error(body, reason):
    with pytest.raises(DecodeError) as refused:
        answer(200, body).json()
    assert refused.value.reason.startswith(reason)
    assert str(refused.value).startswith("GET https://gitlab.example.com/api/v4/x: ")
