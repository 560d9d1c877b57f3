"""The pipeline covers each declared Python, and a release must agree with its tag."""

import runpy
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
mistakes = runpy.run_path(str(ROOT / ".ci" / "check_release.py"))["mistakes"]

CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-12-01\n\n- `GitLab`.\n"


@pytest.fixture
def release(tmp_path):
    (tmp_path / "gitlab_jobs_async").mkdir()
    files = {
        "gitlab_jobs_async/version.py": '__version__ = "1.2.0"\n',
        "CHANGELOG.md": CHANGELOG,
        "pyproject.toml": '[project.urls]\nSource = "https://gitlab.com/a/b"\n',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_pipeline_tests_every_declared_python():
    prefix = "Programming Language :: Python :: 3."
    declared = [name.split()[-1] for name in PROJECT["classifiers"] if name.startswith(prefix)]
    pipeline = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    assert pipeline["tests"]["parallel"]["matrix"] == [{"PYTHON": declared}]


def test_consistent_release_has_no_mistakes(release):
    assert mistakes("v1.2.0", release) == []


def test_tag_of_another_version_is_refused(release):
    assert mistakes("v1.3.0", release) == ["tag v1.3.0: expected v1.2.0, as in version.py"]


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("CHANGELOG.md", "[1.2.0]", "[1.1.0]", "expected a section '## [1.2.0] - <date>'"),
        ("CHANGELOG.md", " - 2026-12-01", "", "expected a section '## [1.2.0] - <date>'"),
        ("CHANGELOG.md", "d]\n", "d]\n\n- `Job`.\n", "expected no entries left under Unreleased"),
        ("pyproject.toml", "gitlab.com", "gitlab.example.com", "expected the real address"),
    ],
    ids=["no section", "no date", "unreleased entries", "placeholder"],
)
def test_unfinished_release_is_refused(release, file, old, new, expected):
    path = release / file
    path.write_text(path.read_text().replace(old, new))
    assert [expected in mistake for mistake in mistakes("v1.2.0", release)] == [True]
