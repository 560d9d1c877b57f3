"""What the scripts share: how long something takes, and which versions were measured."""

import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version


def seconds(work: Callable[[], object]) -> float:
    """How long *work* takes by the wall."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def versions(packages: Sequence[str]) -> str:
    """Python and these packages."""
    found = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"Python {platform.python_version()}, {found}"
