"""Tell which line of a log looks like an error: by the words of compilers and test runners."""

import re
from enum import IntEnum
from typing import Final

_SEARCHED: Final = 500
"""Characters of a line that are searched; an error says so early."""

# No pattern repeats a group, so that none backtracks.
_CERTAIN: Final = re.compile(
    r"(?:\[?(?:error|fatal|panic|severe|critical)\]?(?:\[\w{1,12}\])?(?::|!| TS\d| CS\d|\s-\s|\s\[)"
    r"|\[(?:error|fatal)\]"
    r"|│ error:"  # Terraform
    r"|e: (?:file|/)"  # Kotlin
    r"|fatal error"
    r"|npm (?:err!|error)"
    r"|yarn error|err_pnpm"
    r"|failure: build failed"  # Gradle
    r"|failure/error:"  # RSpec
    r"|--- fail"  # Go
    r"|fail(?:ed)?[\s:!]"
    r"|exception in thread"
    r"|unhandled exception"
    r"|uncaught "
    r"|undefined reference to"
    r"|assertion failed"
    r"|segmentation fault"
    r"|terminate called after throwing"
    r"|thread '[^']{0,80}' panicked"
    r"|e {3,12}\S)",  # pytest
    re.IGNORECASE,
)
_EXCEPTION: Final = re.compile(r"[A-Za-z_][\w.]{0,120}(?:Error|Exception|Failure)(?::|\s*\Z)")
_LOCATED: Final = re.compile(
    r"[^\s:()]{1,200}(?:\(\d+(?:,\d+)?\)|:\d+(?::\d+)?):?(?: -)? "
    r"(?:(?:fatal )?error\b|undefined: |cannot )",
    re.IGNORECASE,
)
_POSSIBLE: Final = re.compile(
    r"\b(?:errors?|failed|failures?|fatal|exception|panic|traceback|aborted|killed|cannot"
    r"|could not|couldn't|unable to|not found|no such file|permission denied|access denied"
    r"|connection refused|timed out|out of memory|undefined|unresolved|invalid)\b"
    r"|[✗✘✖\u00d7]",
    re.IGNORECASE,
)
_HARMLESS: Final = re.compile(
    r"\b(?:0|no|without) (?:known )?(?:errors?|fail\w{0,5}|exceptions?|vulnerabilities)\b"
    r"|\b(?:errors?|failed|failures?)\s?[:=]\s?0\b"
    r"|^\W{0,3}(?:warn(?:ing)?|info|debug|notice|note|trace)\b"
    r"|\b(?:passed|ok|success|succeeded|done)\W{0,12}(?:\[\s?\d{1,3}%\])?\s*\Z",
    re.IGNORECASE,
)


class Likelihood(IntEnum):
    """How much a line looks like an error."""

    NONE = 0
    POSSIBLE = 1
    CERTAIN = 2


def likelihood_of(text: str) -> Likelihood:
    """Return how much a line looks like an error; commands that a shell echoes never do."""
    line = text[:_SEARCHED].strip()
    if line.startswith("$ ") or _HARMLESS.search(line):
        return Likelihood.NONE
    if _CERTAIN.match(line) or _EXCEPTION.match(line):
        return Likelihood.CERTAIN
    # All words of `_LOCATED`, which is much slower on a long word, are in `_POSSIBLE`.
    if not _POSSIBLE.search(line):
        return Likelihood.NONE
    return Likelihood.CERTAIN if _LOCATED.search(line) else Likelihood.POSSIBLE
