"""The public names: what `__init__` promises is there, typed alike, and nothing else."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import gitlab_jobs_async
from gitlab_jobs_async import api, failures, http, logs, models, monitor, pipelines, simulator

MODULES = [gitlab_jobs_async, api, failures, http, logs, models, monitor, pipelines, simulator]
FLAT_NAMES = [name for name in gitlab_jobs_async.__all__ if name not in {"events", "models"}]


def stub_names(module):
    """Yield each public name of *module* and the module that type checkers take it from."""
    for node in ast.parse(Path(module.__file__).with_suffix(".pyi").read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((alias.name, f"{module.__name__}.{node.module}") for alias in node.names)


@pytest.mark.parametrize("module", MODULES)
def test_public_names_match_the_stub(module):
    stub = {name for name, _ in stub_names(module)}
    assert set(module.__all__) - {"events", "models"} == stub
    assert set(module.__all__) == set(dir(module))


@pytest.mark.parametrize("module", MODULES)
def test_public_names_come_from_their_modules(module):
    for name, home in stub_names(module):
        assert getattr(module, name) is getattr(import_module(home), name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Gitlab"):
        _ = gitlab_jobs_async.Gitlab


@pytest.mark.parametrize("name", FLAT_NAMES)
def test_every_public_class_is_documented(name):
    value = getattr(gitlab_jobs_async, name)
    assert not isinstance(value, type) or value.__doc__


def public_methods(kind):
    members = inspect.getmembers(kind, callable)
    return {name: method for name, method in members if not name.startswith("_")}


def test_every_public_method_is_documented():
    assert {"get_job", "walk_pipeline"} <= public_methods(gitlab_jobs_async.Project).keys()
    for kind in (gitlab_jobs_async.GitLab, gitlab_jobs_async.Project):
        for name, method in public_methods(kind).items():
            assert method.__doc__, name
