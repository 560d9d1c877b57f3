"""The same checks as the gate, per Python and per set of dependencies.

`nox -f .ci/noxfile.py` runs all, `-s lint` one session, `-l` lists them; the dependency group `dev`
has nox and uv. A session whose interpreter is missing is skipped and reported as skipped; with `CI`
set it fails. Arguments after `--` go to pytest: `-s tests-3.13 -- tests/logs`.
"""

import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.reuse_venv = "no"
nox.options.error_on_external_run = True

ROOT = Path(__file__).parents[1]
PYTHONS = nox.project.python_versions(nox.project.load_toml(ROOT / "pyproject.toml"))


def install(session: nox.Session, *arguments: str) -> None:
    """Install the package in place, with the command and what the checks need."""
    session.chdir(ROOT)
    session.install("-e", ".[cli,dev]", *arguments)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests."""
    install(session)
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS[0], venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Run the checks with the lowest version that each dependency is declared with."""
    install(session, "--resolution", "lowest-direct")
    session.run("pytest", *session.posargs)
    session.run("ruff", "check")
    session.run("mypy", "--strict")
    session.run("basedpyright")


@nox.session
def newest(session: nox.Session) -> None:
    """Run the checks with the newest dependencies, on the Python that runs nox."""
    install(session, "--upgrade")
    session.run("pytest", *session.posargs)
    session.run("ruff", "check")
    session.run("mypy", "--strict")
    session.run("basedpyright")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and spelling."""
    install(session)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("codespell")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types for each Python; none but the one that runs nox need be installed."""
    install(session)
    for python in PYTHONS:
        session.run("mypy", "--strict", "--python-version", python)
        session.run("basedpyright", "--pythonversion", python)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into `build/docs`, or into the folder after `--`; a warning is an error."""
    session.chdir(ROOT)
    session.install("-e", ".", "--group", "docs")
    session.run("python", ".ci/docs/build.py", *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Build the distributions into `dist`, check them, and run the command of the wheel alone."""
    session.chdir(ROOT)
    shutil.rmtree("dist", ignore_errors=True)
    session.install("build>=1.2", "twine>=6.1")
    session.run("python", "-m", "build")
    distributions = [str(path) for path in Path("dist").iterdir()]
    session.run("twine", "check", "--strict", *distributions)
    wheel = next(path for path in distributions if path.endswith(".whl"))
    empty = Path(session.create_tmp())
    session.run("python", "-m", "venv", "--clear", str(empty))
    python = empty / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    session.run(str(python), "-m", "pip", "install", "--quiet", f"{wheel}[cli]", external=True)
    session.run(str(python), "-m", "gitlab_jobs_async.cli", "--help", external=True)
