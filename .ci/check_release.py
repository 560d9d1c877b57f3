"""Refuse a tag that is not the version of the package and of the changelog.

`python .ci/check_release.py v1.2.3` exits with 1 and a line for each mistake.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def mistakes(tag: str, root: Path = ROOT) -> list[str]:
    """Return what keeps *tag* from being released, or nothing."""
    found = []
    source = (root / "gitlab_jobs_async" / "version.py").read_text(encoding="utf-8")
    version = source.split('__version__ = "')[1].split('"')[0]
    if tag != f"v{version}":
        found.append(f"tag {tag}: expected v{version}, as in version.py")
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = dict(
        re.findall(r"^## \[(.+?)\](.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    )
    if not re.match(r" - \d{4}-\d\d-\d\d\n", sections.get(version, "")):
        found.append(f"CHANGELOG.md: expected a section '## [{version}] - <date>'")
    if "- " in sections.get("Unreleased", ""):
        found.append("CHANGELOG.md: expected no entries left under Unreleased")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found += [
        f"project.urls: expected the real address of {name}, not {url}"
        for name, url in project["urls"].items()
        if "example.com" in url
    ]
    return found


def main() -> int:
    """Print the mistakes of the tag on the command line."""
    found = mistakes(sys.argv[1])
    print(*found or [f"{sys.argv[1]} can be released"], sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
