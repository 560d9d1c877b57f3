"""How much longer it takes to decode a page of 100 jobs into models than to parse it as JSON.

The page is as full as GitLab's: every field, 20 jobs a pipeline. Each round decodes a page not seen
before, as a listing does. Bar: at most 4 x `orjson.loads` of the same bytes. Beside it msgspec,
into the same attrs classes; what it cannot take as ours does is printed below.
"""

import argparse
import itertools
import statistics
import tracemalloc
from collections.abc import Callable, Iterator

import msgspec
import orjson

from benchmarks.full_page import job
from benchmarks.measuring import seconds, versions
from gitlab_jobs_async import DecodeError, Job, Response
from gitlab_jobs_async.api.decoding import decode_rows

_msgspec = msgspec.json.Decoder(list[Job])


def ours(body: bytes) -> list[Job]:
    """Models, by way of orjson and cattrs; equal users, commits, ... of a page are one object."""
    return decode_rows(Response(200, {}, body, "GET", "https://gitlab.example.com/api/v4/x"), Job)


DECODERS: dict[str, Callable[[bytes], list[Job]]] = {
    "orjson.loads": orjson.loads,
    "ours": ours,
    "msgspec": _msgspec.decode,
}
ODD = {
    "an unknown status": (b'"status":"success"', b'"status":"postponed"'),
    "artifacts: null": (b'"artifacts":[]', b'"artifacts":null'),
    "a time without a zone": (b'"created_at":null', b'"created_at":"2026-08-01T10:00:00"'),
    'an id of "7"': (b'"id":7', b'"id":"7"'),
}
"""What a server may send, or should not: a change to a job's JSON."""


def pages(count: int) -> Iterator[bytes]:
    """Pages that have no job in common."""
    ids = itertools.count(1)
    for _ in range(count):
        yield orjson.dumps([job(next(ids)) for _ in range(100)])


def speeds(rounds: int) -> Iterator[str]:
    """The time of each, all by turns."""
    taken: dict[str, list[float]] = {name: [] for name in DECODERS}
    for body in pages(rounds):
        for name, decoder in DECODERS.items():
            taken[name].append(seconds(lambda decoder=decoder, body=body: decoder(body)))
    medians = {name: statistics.median(times[2:]) for name, times in taken.items()}
    for name, median in medians.items():
        ratio = median / medians["orjson.loads"]
        bar = f"  bar 4: {'met' if ratio <= 4 else 'MISSED'}" if name == "ours" else ""
        yield f"{name:14}{median * 1e6:8.0f} µs a page{ratio:7.2f} x orjson.loads{bar}"


def memory(count: int) -> Iterator[str]:
    """What the jobs of *count* pages take once they are decoded and all kept."""
    bodies = list(pages(count))
    for name, decoder in DECODERS.items():
        tracemalloc.start()
        kept = [decoder(body) for body in bodies]
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        yield f"{name:14}{held / len(kept) / 100:8.0f} bytes a job kept"


def differences() -> Iterator[str]:
    """Where msgspec and ours do not agree."""
    full = next(pages(1))
    same = "equal to ours" if _msgspec.decode(full) == ours(full) else "NOT equal to ours"
    yield f"msgspec's jobs of a whole page are {same}"
    plain = {"id": 7, "status": "success", "stage": "test", "name": "unit", "created_at": None}
    written = orjson.dumps([{**plain, "artifacts": []}])
    for what, (found, put) in ODD.items():
        body = written.replace(found, put)
        mine, its = _outcome(ours, body), _outcome(_msgspec.decode, body)
        yield f"{what:22} ours: {mine:24} msgspec: {its}"


def _outcome(decoder: Callable[[bytes], list[Job]], body: bytes) -> str:
    try:
        found = decoder(body)[0]
    except (DecodeError, msgspec.ValidationError):
        return "an error"
    at = found.created_at
    zone = "" if at is None else ", UTC" if at.tzinfo else ", no zone"
    return f"{found.id}, {found.status}{zone}"


def main() -> None:
    """Print medians of one run and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    print(versions(["orjson", "cattrs", "attrs", "msgspec"]))
    for line in itertools.chain(speeds(20 if quick else 120), memory(10), differences()):
        print(line)


if __name__ == "__main__":
    main()
