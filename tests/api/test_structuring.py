"""JSON of the right types becomes values; an error names the reason and the path."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.api.structuring import strict_converter, structured
from gitlab_jobs_async.api.value_types import is_union
from gitlab_jobs_async.models.statuses import JobStatus


@frozen
class Inner:
    number: int


@frozen
class Outer:
    name: str
    inner: Inner
    maybe: int | None = None
    many: list[Inner] = ()
    row: tuple[int, str] = (0, "")
    rows: tuple[int, ...] = ()
    table: Mapping[str, int] = {}
    status: JobStatus = JobStatus.SUCCESS
    at: datetime | None = None


GOOD = {"name": "n", "inner": {"number": 1}}
CONVERTER = strict_converter()


def read(**fields):
    return structured(GOOD | fields, Outer, CONVERTER)


def test_valid_values_are_structured():
    read_ = read(
        maybe=2,
        many=[{"number": 3}],
        row=[4, "x"],
        rows=[5, 6],
        table={"a": 7},
        status="failed",
        at="2026-01-02T03:04:05Z",
        unknown={"is": "dropped"},
    )
    assert read_ == Outer(
        "n",
        Inner(1),
        2,
        [Inner(3)],
        (4, "x"),
        (5, 6),
        {"a": 7},
        JobStatus.FAILED,
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


def test_unknown_status_is_kept():
    assert read(status="brand_new").status == "brand_new"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": None}, "$.name"),
        ({"name": 7}, "$.name"),
        ({"inner": []}, "an object"),
        ({"inner": None}, "$.inner"),
        ({"inner": {}}, "required field missing @ $.inner.number"),
        ({"inner": {"number": "1"}}, "$.inner.number"),
        ({"inner": {"number": True}}, "$.inner.number"),
        ({"inner": {"number": 1.0}}, "$.inner.number"),
        ({"maybe": "2"}, "$.maybe"),
        ({"many": {}}, "a list"),
        ({"many": [{"number": None}]}, "$.many[0].number"),
        ({"row": [1]}, "a list of 2"),
        ({"row": [1, "x", 2]}, "a list of 2"),
        ({"row": "1x"}, "a list of 2"),
        ({"rows": [1, "2"]}, "$.rows"),
        ({"table": []}, "an object"),
        ({"table": {"a": "b"}}, "$.table"),
        ({"at": "yesterday"}, "$.at"),
    ],
)
def test_wrong_type_names_its_path(fields, said):
    with pytest.raises(ValueError, match=r" @ \$") as wrong:
        read(**fields)
    assert said in str(wrong.value)


@pytest.mark.parametrize("given_", [None, [], "x", 7, True])
def test_other_json_than_an_object_is_an_error(given_):
    with pytest.raises(ValueError, match="an object"):
        structured(given_, Outer, CONVERTER)


def test_error_has_at_most_three_reasons():
    with pytest.raises(ValueError, match=r"\(and 2 more\)") as wrong:
        structured({"many": [{}] * 3}, Outer, CONVERTER)
    assert str(wrong.value).count(" @ ") == 3


def test_error_shows_no_value():
    """A response may echo a token."""
    with pytest.raises(ValueError, match="number") as wrong:
        read(inner={"number": "glpat-secret"})
    assert wrong.value.__cause__ is None
    assert "glpat-secret" not in str(wrong.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([f.name for f in Outer.__attrs_attrs__]), JSON))
def test_any_json_is_valid_or_a_value_error(fields):
    value = None
    with suppress(ValueError):
        value = read(**fields)
    assert value is None or (type(value.name), type(value.inner.number)) == (str, int)


@pytest.mark.parametrize(
    ("kind", "is_one"), [(int | None, True), (int | str, True), (int, False), (list[int], False)]
)
def test_unions_are_recognized(kind, is_one):
    assert is_union(kind) is is_one
