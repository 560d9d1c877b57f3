"""The object storage: ranges and ETags as Amazon S3's GetObject has them."""

import pytest

from tests.simulator.test_artifacts_api import PATH


@pytest.fixture
async def get(serve, world):
    """Return a function that gets the stored archive with the given headers."""

    def getter(**settings):
        async def get(**headers):
            api = await serve(world, object_storage=True, **settings)
            location = (await api(f"GET {PATH}")).headers["Location"]
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            async with api.session.get(location, headers=named) as stored:
                return stored.status, stored.headers, await stored.read()

        return get

    return getter


async def test_ranges_are_ignored_by_default(get):
    status, headers, _ = await get()(Range="bytes=5-")
    assert status == 200
    assert not {"ETag", "Accept-Ranges", "Content-Range"} & set(headers)


@pytest.mark.parametrize(
    ("asked", "start", "stop"), [("5-", 5, None), ("0-9", 0, 10), ("-7", -7, None)]
)
async def test_range_is_a_part(get, asked, start, stop):
    stored = get(storage_ranges=True)
    _, whole, content = await stored()
    status, headers, part = await stored(Range=f"bytes={asked}", If_Range=whole["ETag"])
    assert (status, part) == (206, content[start:stop])
    first = start % len(content)
    expected = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
    assert (headers["Content-Range"], headers["ETag"]) == (expected, whole["ETag"])


@pytest.mark.parametrize("asked", ["bytes=9-5", "bytes=0-1,3-4", "lines=1-2"])
async def test_invalid_range_is_ignored(get, asked):
    assert (await get(storage_ranges=True)(Range=asked))[0] == 200


async def test_other_etag_is_the_whole_archive(get):
    assert (await get(storage_ranges=True)(Range="bytes=5-", If_Range='"x"'))[0] == 200


async def test_range_past_the_end_is_416(get):
    status, headers, body = await get(storage_ranges=True)(Range="bytes=99999-")
    assert (status, b"InvalidRange" in body) == (416, True)
    assert headers["Content-Range"].startswith("bytes */")
