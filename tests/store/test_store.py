"""Every store keeps states and events, fences its writers, and serves consumer groups."""

import asyncio

import pytest

from gitlab_jobs_async import FencedError, MemoryStore, StoreError
from gitlab_jobs_async.store import consumer_groups, states
from gitlab_jobs_async.store.grant_values import GrantRequest, Refusal
from gitlab_jobs_async.store.values import (
    Batch,
    Change,
    LogOffset,
    Shard,
    StoredEvent,
    route_of,
)
from tests.support.stores import ONE, leased, loaded


def change(name, state, *keys):
    events = [(key, key.encode()) for key in keys]
    return Change(name, state, route_of(name), events)


async def test_last_recorded_state_is_kept(store):
    lease = await leased(store)
    await store.record(lease, Batch([change("a", b"1"), change("b", b"2"), change("a", b"3")]))
    await store.record(lease, Batch([change("c", b"\0\xff")]))
    content = await loaded(store, lease)
    assert content.states == {"a": b"3", "b": b"2", "c": b"\0\xff"}


async def test_many_states_are_loaded_in_parts(store, monkeypatch):
    """In between, others run: a large shard on PostgreSQL takes longer than a transaction may."""
    monkeypatch.setattr(states, "_PART", 2)
    lease = await leased(store)
    names = [f"project {number}" for number in range(5)]
    await store.record(lease, Batch([Change(name, name.encode(), 1) for name in names]))
    finished, loading = [], asyncio.create_task(store.load(lease, ONE))
    other = asyncio.create_task(store.claim("another", "me", 10))
    for task in (loading, other):
        task.add_done_callback(finished.append)
    content = await loading
    await other
    assert content.states == {name: name.encode() for name in names}
    assert set(content.routes) == set(names)
    if not isinstance(store, MemoryStore):
        assert finished == [other, loading]


async def test_store_set_back_during_a_load_is_fenced(store, monkeypatch):
    lease = await leased(store)
    await store.record(lease, Batch([change("a", b"1")]))
    run = store._run_long

    async def set_back(transaction):
        version, *rest = await run(transaction)
        return version - (transaction.__name__ == "load_states"), *rest

    monkeypatch.setattr(store, "_run_long", set_back)
    with pytest.raises(FencedError):
        await store.load(lease, ONE)


async def test_deleted_state_keeps_its_events(store):
    lease = await leased(store)
    await store.record(lease, Batch([change("a", b"1", "k")]))
    await store.record(lease, Batch([change("a", None), change("never", None)]))
    content = await loaded(store, lease)
    assert (content.states, content.pending) == ({}, [("k", b"k")])


async def test_last_change_of_a_batch_counts(store):
    lease = await leased(store)
    await store.record(lease, Batch([change("a", None), change("a", b"1")]))
    await store.record(lease, Batch([change("b", b"1"), change("b", None)]))
    assert (await loaded(store, lease)).states == {"a": b"1"}


async def test_events_are_pending_until_acknowledged(store):
    lease = await leased(store)
    await store.record(lease, Batch([change("a", b"1", "k1", "k2"), change("b", b"2", "k0")]))
    await store.record(lease, Batch(acknowledged=["k2", "never was"]))
    content = await loaded(store, lease)
    assert content.pending == [("k1", b"k1"), ("k0", b"k0")]


async def test_key_is_recorded_once(store):
    lease = await leased(store)
    await store.record(lease, Batch([Change("a", b"1", 0, [("k", b"first"), ("k", b"again")])]))
    await store.record(lease, Batch([Change("b", b"1", 0, [("k", b"later"), ("l", b"")])]))
    assert (await loaded(store, lease)).pending == [("k", b"first"), ("l", b"")]


async def test_log_offsets_are_kept_by_job(store):
    lease = await leased(store)
    await store.record(lease, Batch(offsets={7: LogOffset(100, 1), 8: LogOffset(0, 1)}))
    await store.record(lease, Batch(offsets={7: LogOffset(2**40, 1)}))
    assert (await loaded(store, lease)).offsets == {7: 2**40, 8: 0}
    await store.record(lease, Batch(offsets={7: None, 9: None}))
    assert (await loaded(store, lease)).offsets == {8: 0}


async def test_content_survives_close_and_open(store, new_store):
    lease = await leased(store)
    await store.record(lease, Batch([change("a", b"1", "k")], offsets={7: LogOffset(5, 0)}))
    await store.release(lease)
    await store.close()
    await store.close()
    again = new_store()
    await again.open("https://gitlab.example.com")
    content = await loaded(again, await leased(again))
    await again.close()
    assert (content.states, content.pending, content.offsets) == (
        {"a": b"1"},
        [("k", b"k")],
        {7: 5},
    )


async def test_store_of_another_server_is_refused(store, new_store):
    assert await store.server() == "https://gitlab.example.com"
    other = new_store()
    with pytest.raises(StoreError, match=r"another server: https://gitlab\.example\.com$"):
        await other.open("https://other.example.com")


async def test_lease_has_one_owner(store):
    first = await store.claim("x", "a", 10)
    assert await store.claim("x", "b", 10) is None
    assert (await store.claim("x", "a", 10)).epoch == first.epoch
    assert (await store.claim("y", "b", 10)).epoch == 1


async def test_released_lease_is_free_at_once(store):
    first = await store.claim("x", "a", 10)
    await store.release(first)
    second = await store.claim("x", "b", 10)
    assert (second.owner, second.epoch) == ("b", first.epoch + 1)
    await store.release(first)
    assert await store.claim("x", "a", 10) is None


async def test_expired_lease_goes_to_the_next(store):
    first = await store.claim("x", "a", 0)
    second = await store.claim("x", "b", 10)
    assert second.epoch == first.epoch + 1
    assert await store.claim("x", "a", 10) is None


async def test_stale_owner_writes_nothing(store):
    stale = await leased(store, "a")
    await store.release(stale)
    lease = await leased(store, "b")
    await store.record(lease, Batch([change("t", b"b", "k")]))
    with pytest.raises(FencedError):
        await store.record(stale, Batch([change("t", b"a", "l")], acknowledged=["k"]))
    with pytest.raises(FencedError):
        await store.load(stale, ONE)
    content = await loaded(store, lease)
    assert (content.states, content.pending) == ({"t": b"b"}, [("k", b"k")])


async def test_missed_version_is_fenced(store):
    lease = await leased(store)
    await store.record(lease, Batch([change("t", b"1")]))
    lease.version -= 1  # as after a restore of the store, or an answer that was lost
    with pytest.raises(FencedError):
        await store.record(lease, Batch([change("t", b"2")]))
    await store.load(lease, ONE)
    await store.record(lease, Batch([change("t", b"3")]))
    assert (await loaded(store, lease)).states == {"t": b"3"}


async def test_shards_have_their_own_rows(store):
    lease = await leased(store)
    names = [f"project {number}" for number in range(40)]
    changes = [change(name, b"s", f"key {name}") for name in names]
    offsets = {number: LogOffset(1, route_of(name)) for number, name in enumerate(names)}
    await store.record(lease, Batch([*changes, Change("ids", b"i", None)], offsets=offsets))
    await store.release(lease)
    states, keys, jobs = [], [], []
    for number in range(3):
        shard = Shard(number, 3)
        content = await loaded(store, await leased(store, "me", shard), shard)
        assert content.states.pop("ids") == b"i"
        assert all(shard.has(route_of(name)) for name in content.states)
        states += content.states
        keys += [key for key, _ in content.pending]
        jobs += content.offsets
    assert sorted(states) == sorted(names)
    assert sorted(keys) == sorted(f"key {name}" for name in names)
    assert sorted(jobs) == list(range(40))


async def test_group_reads_in_order_until_acknowledged(store):
    lease = await leased(store)
    await store.join("bot")
    await store.record(lease, Batch([change("a", b"1", "k1", "k2", "k3")], acknowledged=["k1"]))
    await store.record(lease, Batch(acknowledged=["k2", "k3"]))
    unread = await store.read("bot", 0, 2)
    assert unread.events == [StoredEvent(1, "k1", b"k1"), StoredEvent(2, "k2", b"k2")]
    assert [event.key for event in (await store.read("bot", 2, 9)).events] == ["k3"]
    mine = await store.claim("group bot", "me", 10)
    await store.acknowledge(mine, "bot", 2)
    assert [event.key for event in (await store.read("bot", 0, 9)).events] == ["k3"]
    await store.acknowledge(mine, "bot", 1)  # an earlier place changes nothing
    assert [event.key for event in (await store.read("bot", 0, 9)).events] == ["k3"]


async def test_group_of_another_owner_is_fenced(store):
    lease = await leased(store)
    await store.join("bot")
    await store.record(lease, Batch([change("a", b"1", "k1")]))
    stale = await store.claim("group bot", "a", 0)
    await store.claim("group bot", "b", 10)
    with pytest.raises(FencedError):
        await store.acknowledge(stale, "bot", 1)
    assert len((await store.read("bot", 0, 9)).events) == 1


async def test_events_go_once_all_groups_have_them(store):
    lease = await leased(store)
    await store.join("bot")
    await store.join("mail")
    await store.record(lease, Batch([change("a", b"1", "k1", "k2")]))
    await store.record(lease, Batch(acknowledged=["k1", "k2"]))
    for group, place in (("bot", 2), ("mail", 1)):
        mine = await store.claim(f"group {group}", "me", 10)
        await store.acknowledge(mine, group, place)
    assert await store.prune(1000) == 0
    await store.join("late")
    assert [event.key for event in (await store.read("late", 0, 9)).events] == ["k2"]
    assert await store.leave("late")
    assert not await store.leave("late")


async def test_old_events_are_missed_and_said(store):
    lease = await leased(store)
    await store.join("bot")
    await store.record(lease, Batch([change("a", b"1", "k1", "k2")]))
    await store.record(lease, Batch(acknowledged=["k1"]))
    assert await store.prune(-1) == 1  # k2 is pending
    unread = await store.read("bot", 0, 9)
    assert ([event.key for event in unread.events], unread.missed) == (["k2"], 1)
    mine = await store.claim("group bot", "me", 10)
    await store.acknowledge(mine, "bot", 2, missed=1)
    assert (await store.read("bot", 0, 9)).missed == 0


async def test_prune_deletes_some_events_at_once(store, monkeypatch):
    """A week of events would keep others from the store for longer than they wait."""
    monkeypatch.setattr(consumer_groups, "_MOST_DELETED", 2)
    lease = await leased(store)
    for group in ("bot", "mail"):
        await store.join(group)
    keys = [f"k{number}" for number in range(7)]
    await store.record(lease, Batch([change("a", b"1", *keys)]))
    await store.record(lease, Batch(acknowledged=keys))
    mine = await store.claim("group bot", "me", 10)
    await store.acknowledge(mine, "bot", 3)
    # Of the events that are too old, two each time; the first was read by one group.
    left = []
    for _ in range(4):
        missed = await store.prune(-1)
        left.append((missed, len((await store.read("mail", 0, 9)).events)))
    assert left == [(2, 5), (3, 3), (4, 1), (2, 0)]
    await store.leave("mail")
    assert (await store.read("bot", 0, 9)).missed == 4


async def test_prune_reads_no_more_than_it_may_delete(monkeypatch):
    """A group that lags by a week of events must not keep others from the store."""
    monkeypatch.setattr(consumer_groups, "_MOST_DELETED", 10)
    store = MemoryStore()
    lease = await leased(store)
    await store.join("bot")
    keys = [f"k{number}" for number in range(3000)]
    await store.record(lease, Batch([change("a", b"1", *keys)]))
    await store.record(lease, Batch(acknowledged=keys))
    steps = []
    store._connection.set_progress_handler(lambda: steps.append(1), 100)
    assert await store.prune(1000) == 0
    store._connection.set_progress_handler(None, 0)
    assert len(steps) < 15, "instructions of SQLite, in hundreds"


async def test_without_groups_events_go_at_once(store):
    lease = await leased(store)
    await store.record(lease, Batch([change("a", b"1", "k1")]))
    await store.record(lease, Batch(acknowledged=["k1"]))
    await store.join("bot")
    assert (await store.read("bot", 0, 9)).events == []


async def test_hooks_are_read_after_a_place(store):
    assert await store.hooks(None) == (0, [])
    await store.send_hook(b"1")
    await store.send_hook(b"2")
    assert await store.hooks(None) == (2, [])
    assert await store.hooks(0) == (2, [b"1", b"2"])
    assert await store.hooks(2) == (2, [])


async def test_unopened_store_is_refused(new_store):
    store = new_store()
    if store.name == "in memory":
        pytest.skip("has nothing to open")
    with pytest.raises(StoreError, match="is not open"):
        await store.server()


async def test_shards_of_another_number_are_not_leased(store):
    """Processes with different numbers of shards would monitor the same targets."""
    first = await store.claim("shard 0 of 1", "a", 10)
    assert await store.claim("shard 2 of 4", "b", 10) is None
    assert await store.claim("group 1 of 4", "b", 10)
    await store.release(first)
    assert await store.claim("shard 2 of 4", "b", 10)
    assert await store.claim("shard 3 of 4", "a", 10)
    assert await store.claim("shard 0 of 1", "a", 10) is None


async def test_owner_of_another_number_is_fenced(store):
    stale = await store.claim("shard 0 of 1", "a", 0)
    assert await store.claim("shard 2 of 4", "b", 10)
    with pytest.raises(FencedError):
        await store.record(stale, Batch([change("t", b"a", "k")]))
    assert await store.claim("shard 0 of 1", "a", 10) is None
    assert await store.claim("shard 3 of 4", "c", 10)
    assert await store.claim("shard 2 of 4", "b", 10)


async def test_grants_and_pauses_are_shared(store):
    wanted = [GrantRequest("", 5, 6), GrantRequest("jobs", 1, 2)]
    first = await store.grant(wanted, None)
    assert (first.counts, first.retry_after) == ({"": 5, "jobs": 1}, None)
    second = await store.grant(wanted, first.answer)
    assert second.counts == {"": 1, "jobs": 1}
    assert 60 < second.retry_after <= 63
    await store.refuse(Refusal("", 50))
    await store.refuse(Refusal("", 20))
    answer = await store.grant([], second.answer)
    assert answer.counts == {}
    assert [refusal.kind for refusal in answer.refusals] == [""]
    assert 40 < answer.refusals[0].seconds <= 50
    await store.resume("")
    assert not (await store.grant([], answer.answer)).refusals
    assert first.answer.time <= second.answer.time <= answer.answer.time
