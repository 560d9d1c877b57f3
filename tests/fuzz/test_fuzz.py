"""A short run of the fuzz harness; `run.py` runs it for any number of cases."""

import os

import pytest

from tests.fuzz.answers import attack
from tests.fuzz.core import TARGETS
from tests.fuzz.run import core

CORE = int(os.environ.get("FUZZ_CORE", "3000"))
ANSWERS = int(os.environ.get("FUZZ_ANSWERS", "600"))
PARTS = 4
SEED = os.environ.get("FUZZ_SEED", "short")


def test_core_raises_only_documented_errors():
    assert core(SEED, CORE)[1] == []


@pytest.mark.parametrize("part", range(PARTS))
async def test_answers_raise_only_our_errors(part):
    number, wrong = await attack(f"{SEED}-{part}", ANSWERS // PARTS)
    assert wrong == []
    assert number >= ANSWERS // PARTS


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_core_run_reaches_each_target(target):
    assert list(TARGETS).index(target) < CORE
