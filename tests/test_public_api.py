"""The public names: what `__init__` promises is there, typed alike, and nothing else."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import gitlab_jobs_async

STUB = Path(gitlab_jobs_async.__file__).with_suffix(".pyi")


def stub_names():
    """Each public name and the module that type checkers take it from."""
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            yield from ((alias.name, node.module) for alias in node.names)


def test_type_checkers_see_the_names_that_are_there():
    assert sorted(gitlab_jobs_async.__all__) == sorted(name for name, _ in stub_names())
    assert set(gitlab_jobs_async.__all__) <= set(dir(gitlab_jobs_async))


@pytest.mark.parametrize(("name", "module"), sorted(stub_names()))
def test_a_public_name_is_the_one_of_its_module(name, module):
    assert getattr(gitlab_jobs_async, name) is getattr(import_module(module), name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Gitlab'"):
        _ = gitlab_jobs_async.Gitlab


def test_importing_the_package_loads_nothing_before_it_is_used():
    script = (
        "import sys, gitlab_jobs_async\n"
        "assert not {'aiohttp', 'cattrs', 'orjson'} & set(sys.modules)\n"
        "gitlab_jobs_async.GitLab\n"
        "assert 'aiohttp' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", gitlab_jobs_async.__all__)
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
