"""The tree of any graph of pipelines: each readable one is in it once, in any order of events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import (
    AuthenticationError,
    Bridge,
    Job,
    JobStatus,
    NotFoundError,
    PermissionDeniedError,
    Pipeline,
    ServerError,
)
from gitlab_jobs_async.pipelines.traversal import PipelineContents, PipelineRef, PipelineTraversal

WHERE = ("GET", "https://gitlab.example.com/api/v4/projects/2/pipelines/2")
REFUSALS = [PermissionDeniedError(403, "no", *WHERE), NotFoundError(404, "gone", *WHERE)]
FATAL = [AuthenticationError(401, "no", *WHERE), ServerError(500, "oh", *WHERE)]
PARTS = {"status": JobStatus.SUCCESS, "stage": "test", "name": "it"}

GRAPHS = st.lists(
    st.lists(st.none() | st.integers(1, 12), max_size=4), min_size=1, max_size=12
).map(lambda made: dict(enumerate(made, start=1)))
"""The downstream pipelines of each pipeline; one without an entry cannot be read."""


def read(number, made):
    def pipeline(which):
        return Pipeline(id=which, status=JobStatus.SUCCESS, project_id=which + 100)

    bridges = [
        Bridge(
            id=number * 100 + place,
            downstream_pipeline=None if which is None else pipeline(which),
            **PARTS,
        )
        for place, which in enumerate(made)
    ]
    return PipelineContents(pipeline(number), [Job(id=number, **PARTS)], bridges)


def walked(graph, draw):
    """Return the tree, with responses in the order that *draw* chooses, and what was fetched."""
    traversal, asked, under_way = PipelineTraversal(PipelineRef("group/app", 1)), [], []
    while True:
        while place := traversal.next_pipeline():
            asked.append(place)
            under_way.append(place)
        if not under_way:
            return traversal.tree(), asked
        place = under_way.pop(draw(len(under_way)))
        if place.pipeline_id in graph:
            traversal.on_contents(place, read(place.pipeline_id, graph[place.pipeline_id]))
        else:
            traversal.on_error(place, REFUSALS[place.pipeline_id % 2])


def reachable(graph):
    met, to_come = set(), [1]
    while to_come:
        number = to_come.pop()
        if number not in met:
            met.add(number)
            to_come += [made for made in graph.get(number, ()) if made is not None]
    return met


@given(GRAPHS, st.data())
def test_each_pipeline_is_fetched_and_placed_once(graph, data):
    tree, asked = walked(graph, lambda count: data.draw(st.integers(0, count - 1)))
    met = reachable(graph)
    assert sorted(place.pipeline_id for place in asked) == sorted(met)
    assert {place.project for place in asked} <= {"group/app", *(number + 100 for number in met)}
    shown = [found.pipeline.id for found in tree.walk()]
    assert sorted(shown) == sorted(met & graph.keys())
    assert [job.id for job in tree.all_jobs()] == shown
    assert tree == walked(graph, lambda _: 0)[0]


@given(GRAPHS)
def test_bridge_has_one_of_four_results(graph):
    tree, _ = walked(graph, lambda _: 0)
    unreadable = []
    for found in tree.walk():
        assert found.bridges == tuple(read(found.pipeline.id, graph[found.pipeline.id]).bridges)
        for item in found.downstream:
            made = item.bridge.downstream_pipeline
            flags = [made is None, item.tree is not None, item.error is not None, item.is_repeated]
            assert flags.count(True) == 1
            assert item.tree is None or item.tree.pipeline.id == made.id
            assert (item.error is not None) == (made is not None and made.id not in graph)
            unreadable += [item] if item.error else []
    assert list(tree.unreadable()) == unreadable


@pytest.mark.parametrize("error", FATAL + REFUSALS, ids=lambda error: type(error).__name__)
def test_error_of_the_root_is_raised(error):
    traversal = PipelineTraversal(PipelineRef(1, 1))
    with pytest.raises(type(error)):
        traversal.on_error(traversal.next_pipeline(), error)


@pytest.mark.parametrize("error", FATAL, ids=lambda error: type(error).__name__)
def test_only_a_refusal_is_part_of_the_tree(error):
    traversal = PipelineTraversal(PipelineRef(1, 1))
    traversal.on_contents(traversal.next_pipeline(), read(1, [2]))
    with pytest.raises(type(error)):
        traversal.on_error(traversal.next_pipeline(), error)


def test_chain_may_be_deeper_than_the_stack():
    depth = 3000
    graph = {number: [number + 1] for number in range(1, depth)} | {depth: []}
    tree, _ = walked(graph, lambda _: 0)
    assert sum(1 for _ in tree.walk()) == depth
    assert len(list(tree.all_jobs())) == depth
    assert "<1 bridges>" in repr(tree)


def test_downstream_without_project_is_in_same():
    """Older servers leave `project_id` out."""
    traversal = PipelineTraversal(PipelineRef(1, 1))
    unplaced = Pipeline(id=2, status=JobStatus.SUCCESS)
    bridge = Bridge(id=5, downstream_pipeline=unplaced, **PARTS)
    traversal.on_contents(traversal.next_pipeline(), PipelineContents(unplaced, [], [bridge]))
    assert traversal.next_pipeline() == PipelineRef(1, 2)
