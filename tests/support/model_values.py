"""Strategies for every value that a model, an event or a state may have."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin

import attrs
from hypothesis import strategies as st

from gitlab_jobs_async import FailureReason, JobStatus
from gitlab_jobs_async.api.value_types import is_union

OFFSETS = st.integers(-86_399, 86_399).map(lambda seconds: timezone(timedelta(seconds=seconds)))
CHARACTERS = st.text(st.characters(exclude_categories=()), max_size=8)
"""With lone surrogates, which messages of the system may contain."""

KNOWN = {
    int: st.integers(),
    str: CHARACTERS,
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    type(None): st.none(),
    datetime: st.datetimes(timezones=OFFSETS | st.just(UTC)),
    JobStatus: st.sampled_from(JobStatus) | CHARACTERS.map(JobStatus),
    FailureReason: st.sampled_from(FailureReason) | CHARACTERS.map(FailureReason),
    Any: st.recursive(
        st.none() | st.booleans() | st.integers() | CHARACTERS,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(CHARACTERS, inner, max_size=2),
        max_leaves=4,
    ),
}


@cache
def values(kind):
    """Return a strategy for every value that the annotation *kind* allows."""
    kind = kind.__bound__ if isinstance(kind, TypeVar) else kind
    if kind in KNOWN:
        return KNOWN[kind]
    args = get_args(kind)
    if is_union(kind) or get_origin(kind) is Literal:
        return st.one_of(*(st.just(one) if isinstance(one, str) else values(one) for one in args))
    if attrs.has(kind):
        fields = {field.alias: values(field.type) for field in attrs.fields(kind)}
        return st.deferred(lambda: st.builds(kind, **fields))
    if get_origin(kind) is tuple:
        if args[-1] is Ellipsis:
            return st.lists(values(args[0]), max_size=3).map(tuple)
        return st.tuples(*map(values, args))
    assert get_origin(kind) in {dict, Mapping}, kind
    return st.dictionaries(*map(values, args), max_size=3)
