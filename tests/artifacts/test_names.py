"""Paths that the links of an archive point to."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import ArchiveError
from gitlab_jobs_async.artifacts.names import link_target

LINK = ("node_modules", ".bin", "tool")


def target(text, link=LINK, *, is_windows=False):
    content = text if isinstance(text, bytes) else text.encode()
    return link_target(link, content, "/".join(link), is_windows=is_windows)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tool2", ("tool2",)),
        ("../tool/cli.js", ("..", "tool", "cli.js")),
        ("./..//../dist/./x/", ("..", "..", "dist", "x")),
        ("../..", ("..", "..")),
        (".", ()),
        ("ä ö", ("ä ö",)),
    ],
)
def test_target_inside_is_allowed(text, expected):
    assert target(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/etc/passwd", "has an absolute path"),
        ("//host/share", "has an absolute path"),
        ("c:/a", "has an absolute path"),
        ("../c:a", "has an absolute path"),
        ("../../..", "leaves the directory by '..'"),
        ("../../../a", "leaves the directory by '..'"),
        ("a/../b", "has '..' behind a name"),
        ("../a/..", "has '..' behind a name"),
        ("", "is empty or not UTF-8"),
        (b"\xff", "is empty or not UTF-8"),
        ("..\\..\\..\\a", "a NUL or a backslash"),
        ("a\0/b", "a NUL or a backslash"),
        ("a" * 256, "more than 255 bytes"),
        ("a/" * 101, "more than 100 levels"),
    ],
)
def test_unsafe_target_is_refused(text, reason):
    with pytest.raises(ArchiveError, match=f"points to .*, which .*{reason}") as refused:
        target(text)
    assert refused.value.entry == "/".join(LINK)
    assert len(refused.value.reason) < 200


def test_reserved_target_is_refused_on_windows():
    assert target("nul.txt") == ("nul.txt",)
    with pytest.raises(ArchiveError, match="Windows reserves"):
        target("nul.txt", is_windows=True)


FOLDERS = [(), ("a",), ("a", "b")]
steps = st.lists(st.sampled_from(["..", ".", "a", "b", "x", "y", "z"]), min_size=1, max_size=5)
link_places = st.tuples(st.sampled_from(FOLDERS), st.sampled_from("xyz"))


@given(st.dictionaries(link_places, steps, max_size=6))
def test_no_chain_of_links_leads_out(links):
    """The operating system is the judge, for links to links and to parents, too."""
    with tempfile.TemporaryDirectory() as outer:
        root = Path(outer, "root").resolve()
        root.joinpath("a", "b").mkdir(parents=True)
        for (folder, name), parts in links.items():
            path = (*folder, name)
            try:
                where = target("/".join(parts), path)
            except ArchiveError:
                continue
            root.joinpath(*path).symlink_to(Path(*where))
        for folder, name in links:
            resolved = Path(os.path.realpath(root.joinpath(*folder, name)))
            assert resolved.is_relative_to(root)
