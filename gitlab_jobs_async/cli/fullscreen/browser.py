"""Open a page in the user's browser, without a browser that would take over the terminal."""

import asyncio
import webbrowser
from urllib.parse import urlsplit


async def open_page(url: str) -> str:
    """Open *url* and return the result as a sentence."""
    if urlsplit(url).scheme not in {"http", "https"}:
        return "this line has no page to open"
    # A browser may take seconds to return.
    is_open = await asyncio.to_thread(_open, url)
    return f"opened {url}" if is_open else f"no browser found: {url}"


def _open(url: str) -> bool:
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    # Such as w3m or lynx, which need the terminal that this command uses.
    if type(browser) is webbrowser.GenericBrowser:
        return False
    return browser.open(url)
