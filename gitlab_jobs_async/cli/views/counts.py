"""Numbers with their words. Pure."""


def counted(number: int, word: str) -> str:
    """Return a number with its word: "1 page", "1,200 pages"."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
