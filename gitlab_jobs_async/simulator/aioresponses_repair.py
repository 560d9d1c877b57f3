"""Make aioresponses work with aiohttp 3.14 until a release of its own does.

aiohttp 3.14 requires the argument `stream_writer` of a response, which aioresponses 0.7.9 does not
give: https://github.com/pnuckowski/aioresponses/issues/289
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from inspect import signature
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from aiohttp import ClientResponse


class _MockedResponse(ClientResponse):
    """A response that was sent without a body: all that aiohttp reads of a writer is its size."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*arguments, **options)


@contextmanager
def repaired_aioresponses() -> Iterator[Any]:
    """Yield the class `aioresponses`, which works with aiohttp 3.14 within the block.

    Only the class of its responses is replaced. Nothing is with an older aiohttp, and a response
    class of your own stays. A pytest fixture of the same name does this for one test.

    Raises:
        ModuleNotFoundError: aioresponses is not installed.
    """
    core = import_module("aioresponses.core")
    needs_writer = "stream_writer" in signature(ClientResponse).parameters
    made_of = _MockedResponse if needs_writer else ClientResponse
    with patch.object(core, "ClientResponse", made_of):
        yield core.aioresponses
