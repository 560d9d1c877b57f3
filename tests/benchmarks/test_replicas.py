"""The judge of the benchmark `replicas` finds what it looks for, and its network can be cut."""

import asyncio

import pytest
from attrs import evolve

from benchmarks.cut_proxy import CutProxy
from benchmarks.replica_judge import Recorded
from benchmarks.replica_report import Report, results
from benchmarks.replicas import PLANS
from gitlab_jobs_async.simulator import JobPlan, World
from tests.support.sample_events import appeared, finished, job


def recorded(*events):
    return Recorded([(event.key, event) for event in events])


def test_judge_counts_each_kind_of_fault():
    world = World()
    pipeline = world.add_pipeline(world.add_project("group/app"))
    jobs = [world.add_job(pipeline, "unit", plan=JobPlan(duration=1.0)) for _ in range(5)]
    world.settle(world.now + 60)
    right, lost, repeated, contradicting, out_of_order = (
        job(one.id, status="success") for one in jobs
    )
    events = recorded(
        appeared(right),
        finished(right),
        appeared(lost),
        appeared(repeated),
        finished(repeated),
        evolve(finished(repeated), key="another"),
        appeared(contradicting),
        finished(evolve(contradicting, status="failed")),
        finished(out_of_order),
        appeared(out_of_order),
    )
    faults = events.faults(jobs)
    assert faults == {"lost": 1, "repeated": 1, "contradicting": 1, "out of order": 1}


def test_judge_compares_groups_with_the_store():
    first, second = appeared(job(1)), finished(job(1))
    other = appeared(job(2), project="group/lib")
    events = recorded(first, second, other)
    keys = [first.key, second.key, other.key]
    none = {"lost": 0, "repeated": 0, "out of order": 0}
    assert events.group_faults(keys) == none
    assert events.group_faults([other.key, first.key, second.key]) == none
    assert events.group_faults(keys[:2]) == none | {"lost": 1}
    assert events.group_faults([*keys, first.key]) == none | {"repeated": 1}
    assert events.group_faults([keys[1], keys[0], keys[2]]) == none | {"out of order": 1}


RIGHT = Report(
    store="sqlite",
    plan=PLANS[0],
    faults={"kill -9": 50},
    jobs=3,
    events=6,
    wrong={"lost": 0, "repeated": 0},
    groups={"steady": {"lost": 0, "repeated": 0}},
    takeovers={"kill -9": (2, 0.3, 0.4)},
    most_requests=PLANS[0].per_minute,
    refused=0,
    unreachable=0,
    fenced=1,
    blocks=[],
    delays={"steady": "3.0 s median"},
    away="",
    starved=0.1,
)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "0 lost, 0 repeated"),
        ({"wrong": {"lost": 1, "repeated": 0}}, "1 lost, 0 repeated"),
        ({"groups": {"steady": {"lost": 0, "repeated": 2}}}, "0 lost, 2 repeated"),
        ({"most_requests": PLANS[0].per_minute + 1}, "at most 601"),
        ({"unreachable": 1}, "1 unreachable"),
    ],
)
def test_report_is_right_if_nothing_is_wrong(wrong, words):
    report = evolve(RIGHT, **wrong)
    row = next(results(report))
    assert (report.is_right, row.is_met) == (not wrong, not wrong)
    assert words in row.wall


async def test_cut_proxy_loses_bytes_then_resets():
    async def echo(reader, writer):
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        async with CutProxy(server.sockets[0].getsockname()[1]) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(b"before")
            assert await reader.readexactly(6) == b"before"
            proxy.cut()
            writer.write(b"lost")
            late, late_writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            for cut in (reader, late):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await cut.read(1)
            proxy.heal()
            for cut in (reader, late):
                with pytest.raises(ConnectionResetError):
                    await cut.read(1)
            again, again_writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            again_writer.write(b"after")
            assert await again.readexactly(5) == b"after"
            for one in (writer, late_writer, again_writer):
                one.close()


async def test_proxy_closes_when_its_end_refuses():
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    async with CutProxy(port) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.read() == b""
        writer.close()
