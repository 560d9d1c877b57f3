"""Parameters as Rack nests them and Rails writes them back."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async.simulator.api.answers import ApiError
from gitlab_jobs_async.simulator.api.parameters import (
    boolean,
    nested,
    number,
    parsed_body,
    to_query,
    variables,
)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("a", "1"), ("a", "2")], {"a": "2"}),
        ([("a[]", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a[x]", "1"), ("a[y]", "2")], {"a": {"x": "1", "y": "2"}}),
        ([("a[0][k]", "1"), ("a[0][v]", "2")], {"a": {"0": {"k": "1", "v": "2"}}}),
        (
            [("a[][k]", "1"), ("a[][v]", "2"), ("a[][k]", "3")],
            {"a": [{"k": "1", "v": "2"}, {"k": "3"}]},
        ),
        ([("a[]", "1"), ("a", "2")], {"a": "2"}),
        ([("[x]", "1")], {"[x]": "1"}),
    ],
)
def test_nested(pairs, expected):
    assert nested(pairs) == expected


@pytest.mark.parametrize(
    ("text", "meant"),
    [("12", 12), ("-3", -3), ("+007", 7), ("0", 0), ("9" * 5000, 10**19), ("1_0", None),
     ("\u0661", None), ("\u00b2", None), (" 1", None), ("", None)],
)  # fmt: skip
def test_numbers_are_ascii_and_bounded(text, meant):
    assert number(text) == meant


@pytest.mark.parametrize(
    "names", [("a", "a[]"), ("a", "a[k]"), ("a[k]", "a[]"), ("a[]", "a[k]"), ("a[][k]", "a[k]")]
)
def test_names_of_two_types_are_refused(names):
    """GitLab's middleware refuses what Rack calls a parameter type error."""
    with pytest.raises(ApiError) as caught:
        nested((name, "1") for name in names)
    assert caught.value.answer.status == 400
    assert caught.value.answer.body.content == b"Bad Request"


def test_nesting_has_an_end():
    assert nested([("a" + "[b]" * 31, "1")])
    with pytest.raises(ApiError) as caught:
        nested([("a" + "[b]" * 2000, "1")])
    assert caught.value.answer.status == 400


@given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=3)), max_size=9))
@settings(deadline=None)
def test_any_pairs_are_nested_or_refused(pairs):
    with contextlib.suppress(ApiError):
        assert isinstance(nested(pairs), dict)


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({"b": 1, "a": True}, "a=true&b=1"),
        ({"scope": ["z", "x y"], "a": []}, "a%5B%5D=&scope%5B%5D=z&scope%5B%5D=x+y"),
        ({"id": "group/app", "v": {"k": "1"}}, "id=group%2Fapp&v%5Bk%5D=1"),
        ({"v": [{"k": "1"}, {"k": "2"}]}, "v%5B%5D%5Bk%5D=1&v%5B%5D%5Bk%5D=2"),
    ],
)
def test_to_query(params, query):
    assert to_query(params) == query


@pytest.mark.parametrize(("value", "meant"), [("True", True), (False, False), ("0", False)])
def test_booleans(value, meant):
    assert boolean({"force": value}, "force") is meant


@pytest.mark.parametrize(
    ("call", "status", "text"),
    [
        (lambda: boolean({"force": "maybe"}, "force"), 400, b"force is invalid"),
        (lambda: boolean({"force": []}, "force"), 400, b"force is invalid"),
        (lambda: parsed_body("text/csv", b"x"), 415, b"'text/csv' is not supported"),
        (lambda: variables({"job_variables_attributes": "x"}), 400, b"is invalid"),
        (
            lambda: variables({"job_variables_attributes": [{"key": "a", "value": None}]}),
            400,
            b"job_variables_attributes[0][value] is invalid",
        ),
        (
            lambda: variables({"job_variables_attributes": [{"key": "a", "value": ["b"]}]}),
            400,
            b"job_variables_attributes[0][value] is invalid",
        ),
        (lambda: variables({"job_variables_attributes": ["x"]}), 400, b"[0][key] is missing"),
    ],
)
def test_what_is_refused(call, status, text):
    with pytest.raises(ApiError) as caught:
        call()
    assert caught.value.answer.status == status
    assert text in caught.value.answer.body.content


def test_bodies():
    assert parsed_body("application/json; charset=utf-8", b'{"a": [1]}') == {"a": [1]}
    assert parsed_body("application/json", b"[1]") == {}
    assert parsed_body("application/x-www-form-urlencoded", b"a[]=1&b=") == {"a": ["1"], "b": ""}
    assert parsed_body("", b"") == {}
    indexed = {"job_variables_attributes": {"0": {"key": "a", "value": 1}}}
    assert variables(indexed) == {"a": "1"}
