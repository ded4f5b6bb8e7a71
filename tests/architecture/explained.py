"""Writes what `offhook explain` says of three calls into examples/explained/README.md: whole calls on virtual time, led
by the stock agents and the gate.

python tests/architecture/explained.py --write
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))  # where it is run as a program; pytest knows the folder

from booking_call import at_the_read_back  # noqa: E402
from dialogue import Dialogue, sales_policy  # noqa: E402
from offhook.policies.core.policy import Policy  # noqa: E402
from offhook.serve.views import account_view  # noqa: E402

DOCUMENT = ROOT / "examples" / "explained" / "README.md"
_BLOCK = re.compile(r"(<!-- explained:(\w+) -->\n```\n)(.*?)(```)", re.DOTALL)
OVER_MS = 700  # how far into an announcement the caller speaks


def explained() -> dict[str, str]:
    """What the command line prints of each call, from where it gets interesting."""
    return {"condition": _condition(), "taken_back": _taken_back(), "okay": _okay()}


def _condition() -> str:
    call = at_the_read_back()
    since = len(call.journal)
    call.caller_says("Yes, if my wife agrees.")
    call.caller_says("Yes, that is right.")
    return _shown(call, since)


def _taken_back() -> str:
    call = at_the_read_back()
    since = len(call.journal)
    call.caller_speaks("Yes, that is right.")
    _hears(call, "I am booking that")
    call.caller_says("No, wait, please do not book that.")
    return _shown(call, since)


def _okay() -> str:
    plain = sales_policy().model_dump()
    plain["agents"]["closing"]["options"]["transfer_to"] = "+15550199"
    call = Dialogue(Policy.model_validate(plain)).begins()
    call.settles()
    call.caller_says("Yes, sure.")
    since = len(call.journal)
    call.caller_speaks("Can I talk to a person, please?")
    _hears(call, "put you through")
    call.caller_says("Okay.")
    return _shown(call, since, every_rule=True)


def _hears(call: Dialogue, words: str) -> None:
    """Time passes until the caller is in the midst of these words."""
    while words not in call.said[-1] or call.state.speech.current is None:
        call.passes(20)
    call.passes(OVER_MS)


def _shown(call: Dialogue, since: int, *, every_rule: bool = False) -> str:
    return account_view.text(account_view.rows(call.journal[since:], said=True), every_rule).plain


def in_document() -> dict[str, str]:
    """What the document holds now."""
    return {name: block.removesuffix("\n") for _, name, block, _ in _BLOCK.findall(DOCUMENT.read_text())}


def write() -> None:
    """Put what is said now into the document."""
    now = explained()
    DOCUMENT.write_text(_BLOCK.sub(lambda found: f"{found[1]}{now[found[2]]}\n{found[4]}", DOCUMENT.read_text()))


if __name__ == "__main__":
    if "--write" not in sys.argv:
        sys.exit(f"say --write to write what the calls say into {DOCUMENT.relative_to(ROOT)}")
    write()
