"""How much the longest tests try: a part by default, all of it with THOROUGH=1."""

import os
from typing import TypeVar

_IS_THOROUGH = bool(os.environ.get("THOROUGH"))

T = TypeVar("T")


def tries(by_default: T, *, thorough: T) -> T:
    """Return the amount or the cases of a test in this run."""
    return thorough if _IS_THOROUGH else by_default
