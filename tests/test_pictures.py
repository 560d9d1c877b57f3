"""The pictures of the README and the guide: their script runs, and they load nothing."""

import re
import runpy
from html import unescape

import pytest

from tests.support.doc_blocks import PAGES, ROOT

FOLDER = ROOT / ".pictures"
SCRIPT = runpy.run_path(str(FOLDER / "draw.py"))


def text_of(svg):
    return unescape(re.sub(r"<[^>]+>", "", svg)).replace("\xa0", " ")


async def test_screen_of_a_failed_job_is_drawn():
    svg = await SCRIPT["PICTURES"]["watch-log"]()
    assert "shop/payments > #19 > test > contract" in text_of(svg)
    assert "test_rounds_to_the_cent - AssertionError" in text_of(svg)
    assert "127.0.0.1" not in svg


async def test_timeline_is_drawn_as_it_is_stored():
    svg = await SCRIPT["PICTURES"]["timeline"]()
    assert svg == (FOLDER / "timeline.svg").read_text()


@pytest.mark.parametrize("name", SCRIPT["PICTURES"])
def test_picture_is_small_and_self_contained(name):
    file = FOLDER / f"{name}.svg"
    svg = file.read_text()
    assert file.stat().st_size < 150_000
    assert int(re.search(r'<svg [^>]*width="(\d+)"', svg)[1]) <= 1000
    assert re.findall(r"@font-face|url\((?!#)|<image|<script|@import", svg) == []
    assert [page for page in PAGES if f".pictures/{name}.svg" in page.read_text()]
