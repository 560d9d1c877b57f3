"""How much longer it takes to decode a page of 100 jobs into models than to parse it as JSON.

The page is as full as GitLab's: every field, 20 jobs a pipeline. Each round decodes pages not seen
before, as a listing does. Beside it msgspec, into the same attrs classes and into structs.
"""

import itertools
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import orjson

from benchmarks.full_page import job
from benchmarks.measuring import interleaved, ratio, wall_ratio
from benchmarks.results import Row, Size, Table
from benchmarks.structs import JobStruct
from gitlab_jobs_async import Job, Response
from gitlab_jobs_async.api.decoding import decode_rows

TIME_BAR, MEMORY_BAR = 1.5, 2_400
HEADS = ("decoder", "CPU µs a page", "spread", "x `orjson.loads`", "bytes a job kept")
JSON, OURS = "`orjson.loads`", "ours"


def ours(body: bytes) -> list[Job]:
    """Return models; equal users, commits, ... of a page are one object."""
    return decode_rows(Response(200, {}, body, "GET", "https://gitlab.example.com/api/v4/x"), Job)


DECODERS: dict[str, Callable[[bytes], list[Any]]] = {
    JSON: orjson.loads,
    OURS: ours,
    "msgspec into our classes": msgspec.json.Decoder(list[Job]).decode,
    "msgspec into structs": msgspec.json.Decoder(list[JobStruct]).decode,
}


def pages(count: int) -> list[bytes]:
    """Return pages that have no job in common."""
    ids = itertools.count(1)
    return [orjson.dumps([job(next(ids)) for _ in range(100)]) for _ in range(count)]


def kept(decoder: Callable[[bytes], list[Any]], bodies: Sequence[bytes]) -> float:
    """Return the bytes that a job takes once all pages are decoded and kept."""
    tracemalloc.start()
    jobs = [decoder(body) for body in bodies]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / len(jobs) / 100


def measure(size: Size) -> Iterator[Row | Table]:
    """Decode pages in all ways."""
    rounds, batch = size.pick(25, 9, 1), size.pick(10, 10, 2)
    bodies = pages((1 + rounds) * batch)
    parts = [bodies[n : n + batch] for n in range(0, len(bodies), batch)]
    batches = {name: iter(parts) for name in DECODERS}
    work = {
        name: lambda name=name, decoder=decoder: [decoder(body) for body in next(batches[name])]
        for name, decoder in DECODERS.items()
    }
    times = interleaved(work, rounds)
    memory = {name: kept(decoder, bodies[:batch]) for name, decoder in DECODERS.items()}
    times_json = ratio(times[OURS], times[JSON])
    yield Row(
        "decode a page of 100 full jobs into models",
        f"at most {TIME_BAR} x `orjson.loads`",
        f"{times_json:.2f} x",
        f"{wall_ratio(times[OURS], times[JSON]):.2f} x",
        times_json <= TIME_BAR,
    )
    yield Row(
        "memory of a job that is kept",
        f"at most {MEMORY_BAR:,} bytes",
        f"{memory[OURS]:,.0f} bytes",
        "",
        memory[OURS] <= MEMORY_BAR,
    )
    rows = [
        (
            name,
            f"{of.cpu_median / batch * 1e6:.0f}",
            f"{of.spread:.0%}",
            f"{ratio(of, times[JSON]):.2f}",
            f"{memory[name]:,.0f}",
        )
        for name, of in times.items()
    ]
    yield Table("decoding a page of 100 full jobs", HEADS, rows)
