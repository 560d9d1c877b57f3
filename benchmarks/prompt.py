"""Following running jobs in real time: `glab ci trace` beside `gitlab-jobs tail` and the SDK.

For each job length, eight jobs are followed at the same time, each by a process or client of its
own: requests and bytes as the server counted them, and the seconds from the end of a job to the end
of its follower. The server, another process, uploads as a runner does: 3 seconds after the start,
then every minute, and at the end.

The path of glab comes from the environment variable GLAB.
Bar: as prompt as glab, with at most 0.4 of its requests.
"""

import asyncio
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from attrs import define, field

from benchmarks.prompt_server import JOBS, SPREAD, WAYS, Case, Counts, server_of
from benchmarks.results import Row, Size, Table
from gitlab_jobs_async import GitLab, TailEnded
from gitlab_jobs_async.simulator import World

SERVERS: dict[str, dict[str, bool]] = {"byte ranges": {}, "whole": {"byte_ranges": False}}
LENGTHS = {"byte ranges": (270, 120, 45, 6), "whole": (270, 45)}
LONGEST = 270
GAP = 3.0
"""Seconds between the beginnings of two rows, so that processes do not all start at once."""
LEAD = 6.0
_STAMPED = re.compile(rb"^\d{4}-\d\d-\d\dT\S+Z \d\d[OE]", re.MULTILINE)


@define
class Results:
    """Exits of followers after the ends of their jobs in seconds, and what they have printed."""

    delays: list[float] = field(factory=list)
    printed: list[bytes] = field(factory=list)


def environment(home: Path, url: str, token: str) -> dict[str, str]:
    """Variables of a command that knows only this server."""
    host = url.partition("://")[2]
    folder = home / host
    folder.mkdir()
    config = folder / "config.yml"
    config.write_text(
        f"check_update: false\nhost: {host}\nhosts:\n  {host}:\n    token: {token}\n"
        f"    api_host: {host}\n    api_protocol: http\n"
    )
    config.chmod(0o600)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GLAB_CONFIG_DIR": str(folder),
        "GITLAB_URL": url,
        "GITLAB_TOKEN": token,
    }


async def run_command(command: list[str], variables: dict[str, str]) -> bytes:
    """Run a command to its end and return what it has printed."""
    process = await asyncio.create_subprocess_exec(
        *command, env=variables, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {errors.decode()}")
    return output


async def tail(url: str, token: str, project: str, job_id: int) -> bytes:
    """Follow a job with a client of its own; return its lines."""
    async with GitLab(url, auth=token) as client:
        lines = [line.text async for line in client.project(project).tail(job_id)]
    return "".join(f"{line}\n" for line in lines).encode()


async def follow_row(
    row: Case, begin: float, ids: list[int], url: str, variables: dict[str, str]
) -> list[tuple[float, bytes]]:
    """Follow each job of a row; return when its followers have ended, and what they printed."""
    token = variables["GITLAB_TOKEN"]
    commands = {
        "glab ci trace": [os.environ.get("GLAB", ""), "ci", "trace", "-R", row.project],
        "gitlab-jobs tail": [
            str(Path(sys.executable).with_name("gitlab-jobs")),
            "tail",
            row.project,
        ],
    }

    async def follow(number: int, job_id: int) -> tuple[float, bytes]:
        await asyncio.sleep(begin + row.at + SPREAD * number / JOBS - time.time())
        if row.way in commands:
            printed = await run_command([*commands[row.way], str(job_id)], variables)
        else:
            printed = await tail(url, token, row.project, job_id)
        return time.time(), printed

    if row.way in WAYS[:3]:
        return await asyncio.gather(*(follow(n, job_id) for n, job_id in enumerate(ids)))
    await asyncio.sleep(begin + row.at - time.time())
    ends: dict[int, float] = {}
    async with (
        GitLab(url, auth=token) as client,
        client.tail_jobs([(row.project, job_id) for job_id in ids]) as items,
    ):
        async for item in items:
            if isinstance(item, TailEnded):
                ends[item.job_id] = time.time()
    return [(ends[job_id], b"") for job_id in ids]


async def follow_all(
    rows: list[Case], begin: float, ids: dict[tuple[str, int], int], url: str, variables: dict
) -> list[list[tuple[float, bytes]]]:
    """Follow the jobs of all rows of one server."""
    return await asyncio.gather(
        *(
            follow_row(row, begin, [ids[row.project, n] for n in range(JOBS)], url, variables)
            for row in rows
        )
    )


def followed(rows: list[Case]) -> Iterator[tuple[Case, Results, Counts, int]]:
    """Follow the jobs of all rows at once; yield what each row took, and the size of a log."""
    begin = time.time() + LEAD
    by_kind = {kind: [row for row in rows if row.kind == kind] for kind in SERVERS}
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        servers = {
            kind: stack.enter_context(server_of(found, SERVERS[kind], begin))
            for kind, found in by_kind.items()
        }
        token = World(0.0).token

        async def run() -> list:
            calls = []
            for kind, (url, ids, _) in servers.items():
                variables = environment(Path(home), url, token)
                calls.append(follow_all(by_kind[kind], begin, ids, url, variables))
            return await asyncio.gather(*calls)

        exits_of = asyncio.run(run())
        for (kind, (_, _, counted)), found in zip(servers.items(), exits_of, strict=True):
            counts, ends, logs = counted()
            for row, exits in zip(by_kind[kind], found, strict=True):
                results = Results()
                for number, (at, printed) in enumerate(exits):
                    results.delays.append(at - ends[row.project, number])
                    results.printed.append(printed)
                yield row, results, counts.pop(row.project), len(logs[row.project, 0])
            if counts:
                raise AssertionError(f"{kind}: requests for other paths: {sorted(counts)}")


def rows_of(lengths: dict[str, tuple[int, ...]], ways: tuple[str, ...]) -> list[Case]:
    """All rows, the longest jobs first."""
    named = [(length, kind) for kind, found in lengths.items() for length in found]
    order = [(kind, length, way) for length, kind in sorted(named, reverse=True) for way in ways]
    return [Case(*parts, at=GAP * number) for number, parts in enumerate(order)]


def cells(
    case: Case, results: Results, counts: Counts, size: int, beside: Counts
) -> tuple[str, ...]:
    """Return a line: requests and bytes of each job, delays, and lines with a raw timestamp."""
    lines = sum(printed.count(b"\n") for printed in results.printed)
    stamped = sum(len(_STAMPED.findall(printed)) for printed in results.printed)
    return (
        case.kind,
        f"{case.length} s, {size / 1000:.1f} kB",
        case.way,
        f"{counts.requests / JOBS:.1f}",
        f"{counts.requests / beside.requests:.2f}",
        f"{counts.received / JOBS / 1000:.0f} kB",
        f"{statistics.median(results.delays):.1f} s, {max(results.delays):.1f} s",
        f"{lines / JOBS:.0f}, {stamped / JOBS:.0f}" if lines else "",
    )


def measure(size: Size) -> Iterator[Row | Table]:
    """Follow jobs of all lengths in all ways at once, for as long as the longest job runs.

    Raises:
        ValueError: the environment variable GLAB does not name glab's program.
    """
    if not Path(os.environ.get("GLAB", "")).is_file():
        raise ValueError("GLAB is not set: expected the path of glab's program")
    most = size.pick(LONGEST, 45, 6)
    lengths = {kind: tuple(n for n in found if n <= most) for kind, found in LENGTHS.items()}
    found = {
        (case.kind, case.length, case.way): (case, *rest)
        for case, *rest in followed(rows_of(lengths, WAYS))
    }
    shares, lateness, rows = {}, [], []
    for kind, length in dict.fromkeys(key[:2] for key in found):
        (_, beside, glab, _), (_, results, tail, _) = (found[kind, length, w] for w in WAYS[:2])
        shares[f"{kind} {length} s"] = tail.requests / glab.requests
        lateness.append(statistics.median(results.delays) - statistics.median(beside.delays))
        rows += [
            cells(*found[kind, length, way][:3], glab, found[kind, length, way][3]) for way in WAYS
        ]
    yield Row(
        "follow a job in real time, beside `glab ci trace`",
        "as prompt, 0.4 of its requests",
        "",
        ", ".join(f"{name}: {share:.2f}" for name, share in shares.items())
        + f"; exits {max(lateness):.1f} s later at most",
        max(shares.values()) <= 0.4 and max(lateness) <= 0,
    )
    heads = (
        "server",
        "job, log",
        "followed by",
        "requests",
        "of glab's",
        "bytes read",
        "exit after the end: half, worst",
        "lines, with the raw timestamp",
    )
    yield Table("followed in real time beside glab", heads, rows)
