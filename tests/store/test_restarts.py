"""Every store equals a dict through restarts, other owners, acknowledgements and retention."""

import asyncio
from itertools import count

import psycopg
import pytest
from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gitlab_jobs_async import FencedError, MemoryStore, PostgresStore, SqliteStore
from gitlab_jobs_async.store.values import Batch, Change, LogOffset
from tests.support.stores import ONE, leased, loaded

ALL = 1000
NEVER, AT_ONCE = 1e9, -1.0


@define
class Event:
    """An event that a store keeps."""

    place: int
    key: str
    data: bytes
    is_pending: bool = True


@define
class Model:
    """The content of a store, in plain values."""

    states: dict = field(factory=dict)
    offsets: dict = field(factory=dict)
    events: list = field(factory=list)
    groups: dict = field(factory=dict)
    last: int = 0

    def record(self, changes, acknowledged):
        for name, state, events in changes:
            self.states[name] = state
            if state is None:
                del self.states[name]
            for key, data in events:
                self.last += 1
                if key not in [event.key for event in self.events]:
                    self.events.append(Event(self.last, key, data))
        for event in self.events:
            event.is_pending &= event.key not in acknowledged
        if not self.groups:
            self.events = [event for event in self.events if event.key not in acknowledged]

    def drop(self, last):
        self.events = [event for event in self.events if event.is_pending or event.place > last]

    def unread(self, group):
        place, missed = self.groups.get(group, (0, 0))
        return [(e.place, e.key, e.data) for e in self.events if e.place > place], missed

    def prune(self, *, is_all):
        processed = min((place for place, _ in self.groups.values()), default=self.last)
        self.drop(processed)
        missed = 0
        if is_all:
            for group, (place, before) in self.groups.items():
                lost = sum(e.place > place and not e.is_pending for e in self.events)
                self.groups[group] = place, before + lost
                missed += lost
            self.drop(self.last)
        return missed


class Restarts(RuleBasedStateMachine):
    """The store and the model; `new_store` returns one more object with the same content."""

    new_store = None
    keys = st.sampled_from("abcdefgh")
    data = st.binary(max_size=3)
    changes = st.lists(
        st.tuples(
            st.sampled_from(["p", "q", "group/app"]),
            st.none() | data,
            st.lists(st.tuples(keys, data), max_size=3),
        ),
        max_size=3,
    )
    groups = st.sampled_from(["bot", "mail"])

    def run(self, call):
        return self.loop.run_until_complete(call)

    @initialize()
    def begin(self):
        self.loop, self.names = asyncio.new_event_loop(), count()
        self.make, self.model, self.stale = type(self).new_store(), Model(), []
        self.store = self.make()
        self.run(self.store.open())
        self.own()

    def own(self):
        self.lease = self.run(leased(self.store, f"owner {next(self.names)}"))

    @rule(changes=changes, acknowledged=st.lists(keys, max_size=3))
    def record(self, changes, acknowledged):
        # The last change of a name counts, but all events do.
        batch = [Change(name, state, 7, events) for name, state, events in changes]
        self.run(self.store.record(self.lease, Batch(batch, acknowledged)))
        last = {name: state for name, state, _ in changes}
        for name, _, events in changes:
            self.model.states.setdefault(name, b"")
            self.model.record([(name, last[name], events)], [])
        self.model.record([], acknowledged)

    @rule(job_id=st.integers(1, 3), offset=st.none() | st.integers(0, 2**40))
    def follow(self, job_id, offset):
        written = None if offset is None else LogOffset(offset, 7)
        self.run(self.store.record(self.lease, Batch(offsets={job_id: written})))
        self.model.offsets[job_id] = offset

    @rule(is_released=st.booleans())
    def restart(self, is_released):
        if is_released:
            self.run(self.store.release(self.lease))
        else:
            self.run(self.store.claim(self.lease.name, self.lease.owner, 0))
        self.stale.append(self.lease)
        self.run(self.store.close())
        self.store = self.make()
        self.run(self.store.open())
        self.own()

    @rule(change=changes)
    def write_as_an_earlier_owner(self, change):
        for lease in self.stale[-2:]:
            batch = Batch([Change(name, b"stale", 7, [("s", b"")]) for name, _, _ in change])
            with pytest.raises(FencedError):
                self.run(self.store.record(lease, batch))
            with pytest.raises(FencedError):
                self.run(self.store.pending(lease, ONE, 0, ALL))

    @rule(group=groups)
    def join(self, group):
        self.run(self.store.join(group))
        self.model.groups.setdefault(group, (0, 0))

    @rule(group=groups)
    def leave(self, group):
        assert self.run(self.store.leave(group)) is (group in self.model.groups)
        self.model.groups.pop(group, None)

    @rule(group=groups, processed=st.integers(1, 4))
    def acknowledge_as_a_group(self, group, processed):
        unread, missed = self.model.unread(group)
        if group in self.model.groups and unread:
            lease = self.run(self.store.claim(f"group {group}", "reader", 1000))
            place = unread[:processed][-1][0]
            self.run(self.store.acknowledge(lease, group, place, missed))
            self.model.groups[group] = place, 0

    @rule(is_all=st.booleans())
    def prune(self, is_all):
        missed = self.run(self.store.prune(AT_ONCE if is_all else NEVER))
        assert missed == self.model.prune(is_all=is_all)

    @invariant()
    def same(self):
        held = self.run(loaded(self.store, self.lease))
        assert held.states == self.model.states
        assert held.pending == [(e.key, e.data) for e in self.model.events if e.is_pending]
        offsets = {job: at for job, at in self.model.offsets.items() if at is not None}
        assert held.offsets == offsets
        for group in self.model.groups:
            unread = self.run(self.store.read(group, 0, ALL))
            found = [(event.place, event.key, event.event) for event in unread.events]
            assert (found, unread.missed) == self.model.unread(group)

    def teardown(self):
        self.run(self.store.close())
        self.loop.close()


@pytest.mark.parametrize(("kind", "examples"), [("memory", 25), ("sqlite", 25), ("postgres", 6)])
def test_store_equals_a_dict_through_restarts(kind, examples, request, tmp_path):
    numbers = count()

    def memory():
        kept = MemoryStore()
        return lambda: kept

    def sqlite():
        path = tmp_path / f"{next(numbers)}.db"
        return lambda: SqliteStore(path)

    def postgres():
        url = request.getfixturevalue("postgres").url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS gitlab_jobs CASCADE")
        return lambda: PostgresStore(url)

    made = {"memory": memory, "sqlite": sqlite, "postgres": postgres}[kind]
    machine = type("Restarts", (Restarts,), {"new_store": staticmethod(made)})
    limits = settings(max_examples=examples, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(machine, settings=limits)
