"""The fast decoder accepts only what cattrs makes the same values of."""

import contextlib
import copy
import gc
import pickle
import weakref
from unittest.mock import patch

import attrs
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitlab_jobs_async import Bridge, DecodeError, Job, Pipeline, Response
from gitlab_jobs_async.api import decoding, tolerant_decoder
from gitlab_jobs_async.api.decoding import decode, decode_rows
from gitlab_jobs_async.api.wire import WIRE_ERRORS, wire_decoder
from gitlab_jobs_async.models import AllowedAgents, ArtifactEntry
from tests.support.job_rows import JOB, USER

URL = "https://gitlab.example.com/api/v4/x"


def page(body):
    return Response(200, {}, body, "GET", URL)


def outcome(read, body, kind):
    """Return the values or the error, and the reports; repr tells 1 from True and from 1.0."""
    reports = []
    try:
        values = repr(read(page(body), kind, report=reports.append))
    except DecodeError as error:
        values = str(error)
    return values, reports


class Refusing:
    """A fast decoder that refuses everything."""

    def decode(self, _):
        raise WIRE_ERRORS[0]

    rows = decode


def agree(body, kind=Job, read=decode_rows):
    fast = outcome(read, body, kind)

    def refuse(_kind):
        return Refusing()

    with (
        patch.multiple(decoding, wire_decoder=refuse),
        patch.multiple(tolerant_decoder, wire_decoder=refuse),
    ):
        assert fast == outcome(read, body, kind)
    return fast


def is_fast(body, kind=Job):
    decoder = wire_decoder(kind)
    try:
        return bool(decoder.build(decoder.rows(body)))
    except WIRE_ERRORS:
        return False


TIMES = [
    "2026-08-01T10:00:00Z", "2026-08-01T10:00:00.123+05:30", "2026-08-01T10:00:00-00:00",
    "2026-08-01T10:00:00.1234564Z", "2026-08-01T10:00:00.123456789Z", "2026-08-01 10:00:00Z",
    "2026-08-01T10:00:00.999999999Z", "9999-12-31T23:59:59.9999999Z", "2026-08-01t10:00:00z",
    "2026-08-01T10:00:00", "2026-08-01", "2026-08-01T10:00Z", "2026-08-01T10:00:00+0200",
    "2026-08-01T10:00:60Z", "2026-08-01T24:00:00Z", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z",
    "2026-W31-6", "20260801T100000Z", "2026-08-01T10:00:00,5Z", "2026-08-01T10:00:00+25:00",
    "2026-08-01T10:00:00 +0200", "2026-08-01 10:00:00 UTC", " 2026-08-01T10:00:00Z", "1754042400",
]  # fmt: skip
TOKENS = [
    b"null", b"true", b"false", b"0", b"-0", b"1", b"7.0", b"-1.5", b"1e2", b"1E-7", b"01", b"+1",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"-1",
    b"18446744073709551616", b"1e308", b"1e400", b"-1e400", b"NaN", b"Infinity", b"0.1e",
    b'""', b'"7"', b'"success"', b'"levitating"', b'"97.5"', b'"a\\u0000b"', b'"\\ud83d\\ude00"',
    b'"\\ud800"', b'"\\q"', b'"\xff"', b'"\xed\xa0\x80"', b'"\xc3\xa9"', b'"a\nb"', b'"\x7f"', b'"',
    b"[]", b"{}", b"[null]", b"[[]]", b"[1]", b'["a", "a"]', b"[{}]", b'{"id": 1}', b'{"id": "1"}',
    b'{"id": null}', b'{"id": 1, "username": "u", "id": 2}', b'{"id": 1, "status": "running"}',
    b'{"a": }', b"[1,]", b"nul", b"", b"[" * 40 + b"]" * 40, b'[{"file_type": "x"}, null]',
    b'[{"file_type": "x", "size": "1"}]', b'[{"file_type": "x", "size": 1.0}]',
    b'[{"file_type": "x", "size": true, "other": []}]', b'{"filename": "f", "size": -1}',
    *[orjson.dumps(at) for at in TIMES],
]  # fmt: skip
# In unknown fields they make a difference, which has a test of its own.
HUGE_NUMBERS = {b"1e400", b"-1e400"}


def paths_of(value, before=()):
    """Yield the path of each value within *value*."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in items:
        yield (*before, name)
        if isinstance(inner, dict | list):
            yield from paths_of(inner, (*before, name))


def at_path(value, path):
    for name in path:
        value = value[name]
    return value


def put(row, path, token, how):
    """Change a row: replace, remove or repeat the value at *path*, or add an unknown one there."""
    parent = at_path(row, path[:-1])
    if not isinstance(parent, dict | list):
        return  # an earlier change has taken its place
    before, name = parent[path[-1]], path[-1]
    if how == "remove":
        del parent[name]
    elif how == "repeat" and isinstance(parent, dict) and not isinstance(before, orjson.Fragment):
        key, last = orjson.dumps(name), orjson.dumps(before)
        parent[name] = orjson.Fragment(token + b", " + key + b": " + last)
    elif how == "add" and isinstance(parent, dict):
        parent["unknown"] = orjson.Fragment(token)
    else:
        parent[name] = orjson.Fragment(token)


def is_known_difference(path, token):
    """Return whether this is a size beyond 64 bits, which has a test of its own."""
    return path[-1] == "size" and len(token.strip(b"-")) > 18 and token.strip(b"-").isdigit()


PIPELINE = JOB["pipeline"] | {"user": USER, "detailed_status": {"icon": "x"}, "coverage": "97.5"}
KINDS = {Job: JOB, Bridge: JOB | {"downstream_pipeline": PIPELINE}, Pipeline: PIPELINE}


@st.composite
def mutated_pages(draw):
    kind = draw(st.sampled_from(list(KINDS)))
    rows = [copy.deepcopy(KINDS[kind]) for _ in range(draw(st.integers(1, 3)))]
    for _ in range(draw(st.integers(0, 4))):
        row = draw(st.sampled_from(rows))
        path = draw(st.sampled_from(list(paths_of(KINDS[kind]))))
        how = draw(st.sampled_from(["replace", "replace", "remove", "repeat", "add"]))
        token = draw(st.sampled_from([t for t in TOKENS if t not in HUGE_NUMBERS]))
        # An earlier change may have removed what is there.
        with contextlib.suppress(KeyError, IndexError, TypeError):
            if not is_known_difference(path, token):
                put(row, path, token, how)
    body = orjson.dumps(rows)
    match draw(st.sampled_from(["whole"] * 8 + ["cut", "insert", "replace", "tail"])):
        case "cut":
            return kind, body[: draw(st.integers(0, len(body)))]
        case "insert" | "replace" as how:
            at = draw(st.integers(0, len(body)))
            piece = draw(
                st.sampled_from([b"\xff", b"\0", b" ", b"\n", b",", b'"', b"\xef\xbb\xbf"])
            )
            return kind, body[:at] + piece + body[at + (how == "replace") :]
        case "tail":
            return kind, body + draw(st.sampled_from([b" ", b"]", b"x", b"\0", b"\xff", b"null"]))
    return kind, body


@given(mutated_pages())
def test_mutated_page_is_decoded_as_by_cattrs(mutated):
    kind, body = mutated
    agree(body, kind)


@given(st.sampled_from(list(paths_of(KINDS[Job]))), st.sampled_from(TOKENS))
def test_one_odd_value_is_decoded_as_by_cattrs(path, token):
    row = copy.deepcopy(KINDS[Job])
    if not is_known_difference(path, token):
        put(row, path, token, "replace")
        agree(orjson.dumps(row), Job, decode)
        agree(orjson.dumps([KINDS[Job], row]))


@pytest.mark.parametrize("at", TIMES)
def test_time_is_decoded_as_by_cattrs(at):
    row = KINDS[Job] | {"created_at": at}
    row["commit"] = row["commit"] | {"created_at": at}
    agree(orjson.dumps([row]))


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"{}", b"[]", b" [ ] ", b"[null]", b"[[]]", b"[1]", b'"x"', b"[{}]", b"[,]",
     b"<html>", b"[" * 2000 + b"]" * 2000, b"\xef\xbb\xbf[]", b"[]\0"],
)  # fmt: skip
@pytest.mark.parametrize("kind", [*KINDS, ArtifactEntry, AllowedAgents])
def test_other_body_is_decoded_as_by_cattrs(body, kind):
    agree(body, kind)
    agree(body, kind, decode)


@pytest.mark.parametrize(
    "last",
    [b'"unknown": "\xff"', b'"\xff": 1', b'"unknown": {"a": ["\xed\xa0\x80"]}',
     b'"id": 9223372036854775808', b'"id": -9223372036854775809',
     b'"pipeline": {"id": 10000000000000000000000, "status": "x"}',
     b'"user": {"id": 1, "username": "u", "id": null}', b'"status": "running", "status": 1'],
)  # fmt: skip
def test_odd_last_field_is_decoded_as_by_cattrs(last):
    assert not is_fast(b"[" + orjson.dumps(JOB)[:-1] + b", " + last + b"}]")
    agree(b"[" + orjson.dumps(JOB)[:-1] + b", " + last + b"}]")


@pytest.mark.parametrize("kind", KINDS)
def test_full_row_takes_the_fast_decoder(kind):
    body = orjson.dumps([KINDS[kind]])
    assert is_fast(body, kind)
    assert agree(body, kind)[1] == []


def test_nulls_and_unknown_values_are_fast():
    nullable = {one.name for one in attrs.fields(Job) if one.default in (None, ())}
    row = KINDS[Job] | dict.fromkeys(nullable) | {"status": "levitating", "exit_code": [1]}
    row |= {"failure_reason": "gravity", "user": {"id": 1, "username": "u", "theme": {"dark": 1}}}
    assert is_fast(orjson.dumps([row | {"pipeline": None}]))


# What the fast decoder takes and cattrs would not.


@pytest.mark.parametrize("number", [b"1e400", b"-1e999"])
def test_unknown_number_out_of_range_is_ignored(number):
    row = orjson.dumps([KINDS[Job] | {"unknown": orjson.Fragment(number)}])
    assert decode_rows(page(row), Job) == decode_rows(page(orjson.dumps([KINDS[Job]])), Job)


def test_size_beyond_64_bits_is_kept():
    file = {"filename": "f", "size": orjson.Fragment(b"1" + b"0" * 25)}
    (job,) = decode_rows(page(orjson.dumps([KINDS[Job] | {"artifacts_file": file}])), Job)
    assert job.artifacts_file.size == 10**25


# Values made by the fast decoder are as any other.


def fast_job():
    (job,) = decode_rows(page(orjson.dumps([KINDS[Job]])), Job)
    return job


def test_decoded_job_is_an_ordinary_frozen_object():
    job = fast_job()
    assert type(job) is Job
    made = Job(**{one.name: getattr(job, one.name) for one in attrs.fields(Job)})
    assert (job, hash(job), repr(job)) == (made, hash(made), repr(made))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        job.id = 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del job.id
    assert attrs.evolve(job, id=8).id == 8
    assert copy.copy(job) == copy.deepcopy(job) == pickle.loads(pickle.dumps(job)) == job
    assert weakref.ref(job)() is job
    assert not hasattr(job, "__dict__")


def test_decoded_values_live_as_long_as_their_job():
    job = fast_job()
    shared = [weakref.ref(value) for value in (job.user, job.commit, job.pipeline, job.runner)]
    del job
    assert [ref() for ref in shared] == [None] * 4


def test_decoded_job_keeps_no_body_alive():
    held = [fast_job()]
    for value in held:
        assert not isinstance(value, bytes | bytearray | memoryview)
        inner = gc.get_referents(value)
        held.extend(one for one in inner if not isinstance(one, type) and one not in held)


@given(st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=8))
@example([1, 1])
def test_equal_values_of_a_page_are_one_object(users):
    """Also in rows of a page that cattrs decodes."""
    rows = [
        {**KINDS[Job], "id": n, "user": {"id": u, "username": "u"}} for n, u in enumerate(users)
    ]
    for odd in ([], [{**KINDS[Job], "tag": "odd"}]):
        jobs = decode_rows(page(orjson.dumps(rows + odd)), Job)[: len(rows)]
        assert len({id(job.user) for job in jobs}) == len(set(users))
