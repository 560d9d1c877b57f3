"""Cursors of GitLab's form are made for other ids; whatever is of another form is left alone."""

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
    template=st.sampled_from(
        ['{"id":"%d","_kd":"n"}', '{"_kd": "n", "id": %d}', '{"id":"%d"}', '{"id" : %d }']
    ),
    is_padded=st.booleans(),
)
def test_a_form_that_was_learned_writes_any_id(last_id, other, template, is_padded):
    def as_sent(number):
        cursor = written(template % number)
        return cursor if is_padded else cursor.rstrip("=")

    form = CursorTemplate.learned(as_sent(last_id), last_id)
    assert form.cursor(last_id) == as_sent(last_id)
    made = form.cursor(other)
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
def test_another_form_is_not_learned(cursor):
    assert CursorTemplate.learned(cursor, 123) is None


@given(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1), st.booleans())
def test_cursors_of_all_directions_are_alike(last_id, other, is_padded):
    def sent(number, direction):
        cursor = written(f'{{"id":"{number}","_kd":"{direction}"}}')
        return cursor if is_padded else cursor.rstrip("=")

    form = CursorTemplate.learned(sent(last_id, "n"), last_id)
    assert form.has_directions
    assert form.backward(other).rstrip("=") == sent(other, "p").rstrip("=")
    assert form.last_page().rstrip("=") == written('{"_kd":"p"}').rstrip("=")
    assert CursorTemplate.read(sent(last_id, "n")) == (form, last_id)


def test_a_form_without_direction_makes_no_others():
    assert not CursorTemplate.learned(written('{"id":"123"}'), 123).has_directions


@pytest.mark.parametrize("cursor", ["", "opaque", "!", written("[]"), written('{"id":"x"}')])
def test_another_cursor_is_not_read(cursor):
    assert CursorTemplate.read(cursor) is None
