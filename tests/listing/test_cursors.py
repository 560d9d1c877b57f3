"""Cursors of GitLab's form are made for other ids; those of another form are left alone."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.listing.cursors import CursorTemplate


def written(text):
    return base64.urlsafe_b64encode(text.encode()).decode()


@given(
    last_id=st.integers(1, 2**63 - 1),
    other=st.integers(1, 2**63 - 1),
    text=st.sampled_from(
        ['{"id":"%d","_kd":"n"}', '{"_kd": "n", "id": %d}', '{"id":"%d"}', '{"id" : %d }']
    ),
    is_padded=st.booleans(),
)
def test_learned_template_writes_any_id(last_id, other, text, is_padded):
    def as_sent(number):
        cursor = written(text % number)
        return cursor if is_padded else cursor.rstrip("=")

    template = CursorTemplate.learned(as_sent(last_id), last_id)
    assert template.cursor(last_id) == as_sent(last_id)
    made = template.cursor(other)
    padded = made + "=" * (-len(made) % 4)
    value = json.loads(base64.urlsafe_b64decode(padded))
    assert int(value["id"]) == other
    assert CursorTemplate.learned(made, other) is not None


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "opaque",
        "not base64!",
        "+/+/",
        written("[]"),
        written("{"),
        written('"123"'),
        written('{"id":"124","_kd":"n"}'),
        written('{"id":"123","_kd":"p"}'),
        written('{"id":"123","created_at":"2026-01-01"}'),
        written('{"created_at":"2026-01-01","_kd":"n"}'),
        written('{"id":["123"]}'),
        written('{"id":true}'),
        written('{"id":null}'),
        written('{"id":"123","id":"123"}'),
        base64.urlsafe_b64encode(b'{"id":"123\xff"}').decode(),
    ],
)
def test_unknown_form_is_not_learned(cursor):
    assert CursorTemplate.learned(cursor, 123) is None


@given(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1), st.booleans())
def test_template_writes_all_directions(last_id, other, is_padded):
    def sent(number, direction):
        cursor = written(f'{{"id":"{number}","_kd":"{direction}"}}')
        return cursor if is_padded else cursor.rstrip("=")

    template = CursorTemplate.learned(sent(last_id, "n"), last_id)
    assert template.has_directions
    assert template.backward(other).rstrip("=") == sent(other, "p").rstrip("=")
    assert template.last_page().rstrip("=") == written('{"_kd":"p"}').rstrip("=")
    assert CursorTemplate.read(sent(last_id, "n")) == (template, last_id)


def test_template_without_direction_is_detected():
    assert not CursorTemplate.learned(written('{"id":"123"}'), 123).has_directions


@pytest.mark.parametrize("cursor", ["", "opaque", "!", written("[]"), written('{"id":"x"}')])
def test_unknown_cursor_is_not_read(cursor):
    assert CursorTemplate.read(cursor) is None
