"""Values of the command line."""

import pytest

from gitlab_jobs_async.cli.arguments import parse_size, project_id
from gitlab_jobs_async.cli.errors import CommandError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("17B", 17),
        ("2 kB", 2000),
        ("2KB", 2000),
        ("500MB", 500_000_000),
        ("3GB", 3 * 10**9),
        ("1TB", 10**12),
        ("1KiB", 1024),
        ("5MiB", 5 * 1024**2),
        ("2GiB", 2 * 1024**3),
        ("1TiB", 1024**4),
    ],
)
def test_size_has_a_unit(text, expected):
    assert parse_size("--max-size", text) == expected


@pytest.mark.parametrize(
    "text", ["", "0", "0GiB", "-1", "1G", "1.5GiB", "GiB", "1gib", "1 2", "1e9", "²", "9" * 19]
)
def test_invalid_size_is_refused(text):
    with pytest.raises(CommandError, match="expected bytes from 1, or a size such as 500MB, 2GiB"):
        parse_size("--max-size", text)


def test_slash_at_the_end_names_no_other_project():
    found = [project_id(text) for text in ("shop/web/", "shop/web", "17", "/")]
    assert found == ["shop/web", "shop/web", 17, "/"]
