"""The fuzz harness for a moment; `run.py` beside it does so for as long as one likes."""

import os

import pytest

from tests.fuzz.answers import attack
from tests.fuzz.core import TARGETS
from tests.fuzz.run import core

CORE = int(os.environ.get("FUZZ_CORE", "3000"))
ANSWERS = int(os.environ.get("FUZZ_ANSWERS", "600"))
SEED = os.environ.get("FUZZ_SEED", "short")


def test_core_raises_only_what_is_documented():
    assert core(SEED, CORE)[1] == []


async def test_answers_raise_only_our_errors():
    number, wrong = await attack(SEED, ANSWERS)
    assert wrong == []
    assert number >= ANSWERS


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_each_target_comes_in_turn(target):
    assert list(TARGETS).index(target) < CORE
