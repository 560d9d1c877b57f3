"""Concurrent tasks and merged iterators: order, failures, cancellation, clean-up."""

import asyncio
import random
from contextvars import ContextVar

import pytest

from gitlab_jobs_async.concurrency import gather_all, merged, task_pool
from tests.support.tasks import others, prompt


async def later(value, turns):
    for _ in range(turns):
        await asyncio.sleep(0)
    if isinstance(value, BaseException):
        raise value
    return value


async def test_results_come_in_order():
    assert await gather_all([later("a", 3), later("b", 1), later("c", 2)]) == ["a", "b", "c"]
    assert await gather_all([]) == []


@prompt
async def test_first_failure_cancels_the_others():
    with pytest.raises(KeyError, match="second") as failed:
        await gather_all([later(ValueError("first"), 9), later(KeyError("second"), 1)])
    assert failed.value.__context__ is None
    assert not await others()


async def test_cancelling_it_cancels_all():
    task = asyncio.create_task(gather_all([later(1, 10**9), later(2, 10**9)]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await others()


@prompt
async def test_next_done_returns_in_completion_order():
    async with task_pool() as flight:
        flight.start("slow", later("a", 9))
        flight.start("quick", later("b", 1))
        flight.start("broken", later(KeyError("c"), 4))
        assert len(flight) == 3
        key, task = await flight.next_done()
        assert (key, task.result()) == ("quick", "b")
        key, task = await flight.next_done()
        assert (key, type(task.exception())) == ("broken", KeyError)
        assert [(await flight.next_done())[0], len(flight)] == ["slow", 0]


async def test_dropped_task_is_cancelled():
    async with asyncio.timeout(5), task_pool() as flight:
        flight.start("needless", later("a", 10**9))
        flight.start("needless too", later("b", 2))
        flight.start("wanted", later("c", 4))
        flight.drop(lambda key: key.startswith("needless"))
        assert len(flight) == 1
        assert (await flight.next_done())[0] == "wanted"
        flight.drop(lambda _key: True)
        assert len(flight) == 0
    assert not await others()


async def test_dropped_result_is_not_returned():
    async with asyncio.timeout(5), task_pool() as flight:
        flight.start("done", later("a", 1))
        flight.start("wanted", later("b", 6))
        for _ in range(4):
            await asyncio.sleep(0)
        flight.drop(lambda key: key == "done")
        assert (await flight.next_done())[0] == "wanted"


@pytest.mark.parametrize("error", [ValueError("left"), asyncio.CancelledError()])
@prompt
async def test_pool_tasks_end_with_the_block(error):
    flights = []

    async def block():
        async with task_pool() as flight:
            flights.append(flight)
            flight.start(1, later(1, 10**9))
            flight.start(2, later(ValueError("not retrieved"), 0))
            await asyncio.sleep(0)
            raise error

    with pytest.raises(type(error)):
        await block()
    assert not await others()
    with pytest.raises(RuntimeError, match="task group is closed"):
        flights[0].start(3, later(1, 1))


@prompt
async def test_pool_ends_before_its_cancelled_block():
    ended = []

    async def stubborn():
        try:
            await later(1, 10**9)
        finally:
            await later(1, 20)
            ended.append(True)

    async def block():
        async with task_pool() as flight:
            flight.start(1, stubborn())
            await flight.next_done()

    task = asyncio.create_task(block())
    for _ in range(9):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
    assert not await others()


@pytest.mark.parametrize("turns", range(1, 12))
async def test_cancellation_precedes_a_failure(turns):
    task = asyncio.create_task(gather_all([later(KeyError("first"), 3), later(1, 10**9)]))
    await later(None, turns)
    was_done = task.done()
    task.cancel()
    with pytest.raises(KeyError if was_done else asyncio.CancelledError):
        await task
    assert not await others()


async def within(seconds, call):
    async with asyncio.timeout(seconds):
        await call


async def stubborn(turns):
    try:
        await later(None, 10**9)
    finally:
        await later(None, turns)


@pytest.mark.parametrize("turns", range(1, 12))
async def test_second_cancellation_waits_for_all(turns):
    task = asyncio.create_task(gather_all([stubborn(5), later(KeyError("first"), 2), stubborn(7)]))
    await later(None, turns)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await others()


async def test_caught_failure_keeps_outer_timeout():
    async def caught():
        with pytest.raises(KeyError):
            await gather_all([later(KeyError("first"), 1), later(1, 10**9)])
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await within(0.01, caught())


async def counting(count, made=None):
    for number in range(count):
        if made is not None:
            made.append(number)
        yield number
        await asyncio.sleep(0)


async def failing():
    yield 0
    raise KeyError("broken")


async def test_many_iterators_take_turns():
    async with merged() as together:
        for key in "abc":
            together.add(key, counting(4))
        assert len(together) == 3
        items = [item async for item in together]
    assert items[:3] == [("a", 0), ("b", 0), ("c", 0)]
    assert sorted(items) == [(key, number) for key in "abc" for number in range(4)]
    assert not await others()


async def test_iterator_is_at_most_one_item_ahead():
    made = []
    async with merged() as together:
        together.add("a", counting(100, made))
        for taken in range(1, 5):
            await anext(together)
            await others()
            assert len(made) <= taken + 1
    assert not await others()


async def test_iterators_may_be_added_and_removed():
    async with merged() as together:
        assert [item async for item in together] == []
        together.add("a", counting(3))
        with pytest.raises(ValueError, match="duplicate key 'a'"):
            together.add("a", counting(0))
        assert await anext(together) == ("a", 0)
        await others()
        assert together.remove("a")
        assert not together.remove("a")
        together.add("a", counting(1))
        together.add("b", counting(1))
        assert sorted([item async for item in together]) == [("a", 0), ("b", 0)]
        together.add("c", counting(1))
        assert [item async for item in together] == [("c", 0)]
    assert not await others()


async def test_failed_iterator_leaves_the_others():
    async with merged() as together:
        together.add("a", failing())
        together.add("b", counting(3))
        assert await anext(together) == ("a", 0)
        assert await anext(together) == ("b", 0)
        with pytest.raises(KeyError, match="broken"):
            await anext(together)
        assert "a" not in together
        assert [item async for item in together] == [("b", 1), ("b", 2)]
    assert not await others()


@pytest.mark.parametrize("way", ["break", "cancel", "error"])
async def test_leaving_the_block_closes_every_iterator(way):
    closed = []

    async def open_ended(key):
        try:
            while True:
                yield key
        finally:
            await asyncio.sleep(0)
            closed.append(key)

    async def read():
        async with merged() as together:
            for key in range(5):
                together.add(key, open_ended(key))
            async for _ in together:
                if way == "error":
                    raise LookupError
                if way == "break":
                    break
                await asyncio.sleep(0)

    task = asyncio.create_task(read())
    if way == "cancel":
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert sorted(closed) == list(range(5))
    assert not await others()


async def test_nothing_is_added_after_the_block():
    async with merged() as together:
        together.add("a", counting(3))
    source = counting(1)
    with pytest.raises(RuntimeError, match="inside their block"):
        together.add("b", source)
    assert [item async for item in together] == []


@pytest.mark.parametrize("seed", range(5))
async def test_every_item_comes_once_and_in_order(seed):
    lots = random.Random(seed)
    taken, begun = {}, 0
    async with merged() as together:
        for begun in range(20):
            together.add(begun, counting(lots.randrange(10)))
        async for key, number in together:
            taken.setdefault(key, []).append(number)
            if begun < 60 and lots.random() < 0.3:
                begun += 1
                together.add(begun, counting(lots.randrange(10)))
            if lots.random() < 0.1:
                together.remove(lots.randrange(begun))
    for numbers in taken.values():
        assert numbers == list(range(len(numbers)))
    assert not await others()


async def test_second_cancellation_awaits_the_iterators():
    closed = []

    async def slow_to_close():
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            await later(None, 20)
            closed.append(True)

    async def read():
        async with merged() as together:
            together.add("a", slow_to_close())
            async for _ in together:
                pass

    task = asyncio.create_task(read())
    await later(None, 5)
    for _ in range(3):
        task.cancel()
        await later(None, 2)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == [True]
    assert not await others()


@prompt
async def test_iterator_added_after_remove_stays():
    """The removed iterator may fail while it closes, after the new one was added."""

    async def failing():
        try:
            yield "old"
            await asyncio.Event().wait()
        finally:
            raise ValueError("closed badly")

    async def good():
        for number in range(3):
            yield number
            await asyncio.sleep(0)

    async with merged() as together:
        together.add("key", failing())
        assert await anext(together) == ("key", "old")
        await asyncio.sleep(0)
        assert together.remove("key")
        together.add("key", good())
        for _ in range(5):
            await asyncio.sleep(0)
        assert "key" in together
        assert len(together) == 1


async def test_pool_tasks_share_no_context():
    """They begin with that of the block, and what one of them sets stays its own."""
    name = ContextVar("name", default="outside")
    seen = {}

    async def rename(number):
        seen[number] = name.get()
        name.set(f"task {number}")
        await asyncio.sleep(0)
        assert name.get() == f"task {number}"

    name.set("block")
    async with task_pool() as pool:
        name.set("consumer")
        for number in range(3):
            pool.start(number, rename(number))
        for _ in range(3):
            (await pool.next_done())[1].result()
    assert seen == dict.fromkeys(range(3), "block")
    assert name.get() == "consumer"
