"""A checkout of the simulated server's project."""

import pytest


@pytest.fixture
def checkout(git, gitlab):
    """Return a function that makes the current directory a checkout of a branch."""

    def make(branch="main", remote=None):
        git("remote", "add", "origin", remote or f"{gitlab.url}/group/app.git")
        git("symbolic-ref", "HEAD", f"refs/heads/{branch}")
        return git

    return make
