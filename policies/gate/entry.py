"""What agents, operators and carriers hand in, checked where it enters: every field's type, range and size.

    good, refused = proposals_of(values)

Agents are other people's code: a value may be anything. What is refused costs itself only: it becomes a verdict that
says what was required and found (`gate.turn_away`), and the agent's other proposals go on. What is taken in cannot make
`step` raise, can be written down, and has a text that can be spoken (`core/sayable.py`). Whether it may be said or done
is the gate's matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from ..core.codec import CodecFault, decode
from ..core.commands import RoundReason
from ..core.errors import CallerFault
from ..core.events import ActionFinished, Event, HangupRequested, LineClosed, OperatorDecided
from ..core.fields import CHECKS, COUNT_MAX, NAME_CHARS_MAX, REASON_CHARS_MAX, WELL_FORMED, Refused
from ..core.parts import replace
from ..core.principal import Principal
from ..core.proposals import Kind, Polarity, Proposal, Purpose, Reading, Refusal
from ..core.sayable import Unsayable, on_one_line, sayable

PROPOSALS_MAX = 8  # in one answer; more is a fault of the agent
DELAY_MAX_MS = 86_400_000  # of an agent's timer: the longest call
FOUND_CHARS_MAX = 100  # of what a verdict says was required or found
WORD_CHARS_MAX = 500  # of one text in a word from outside

A_LIST = "an agent answers with a list: return [proposal, ...], or yield each proposal in an async def"
Part = tuple[tuple[Proposal, ...], tuple[Refusal, ...], int, bool]  # what is taken in, what not, number, more to come

SAYABLE = "sayable"  # the rule by which a text is not taken in


# --- whole answers --------------------------------------------------------------------------------------------------


def proposals_of(values: Iterable[Any]) -> tuple[tuple[Proposal, ...], tuple[Refusal, ...]]:
    """The proposals of one answer as they may be judged, and what is refused of it, each with the reason."""
    good: list[Proposal] = []
    refused: list[Refusal] = []
    for number, value in enumerate(values):
        if number == PROPOSALS_MAX:
            refused.append(Refusal("", Kind.SAY, "answer", WELL_FORMED, f"at most {PROPOSALS_MAX} proposals", "more"))
            break
        try:
            good.append(_checked(value))
        except Refused as fault:
            refused.append(_refusal(value, fault))
    return tuple(good), tuple(refused)


def checked_parts(values: Any, one_by_one: bool) -> list[Part]:
    """An answer as it reaches a call, whole or one by one (`parts_of`), each part checked as in a live call.

    Raises:
        TypeError: it is no list.
    """
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"{A_LIST}; this one returned {type(values).__name__}")
    if not one_by_one:
        return [(*proposals_of(values), 0, False)]
    return [
        *((*proposals_of([each]), number, True) for number, each in enumerate(values)),
        ((), (), len(values), False),
    ]


def answer_of(
    sent: Sequence[Any],
) -> tuple[tuple[Proposal, ...], Reading | None, tuple[Refusal, ...], int, bool]:
    """An answer that has crossed a link: [arrays of proposals[, of a reading or None, [of refusals][, part, more]]].

    Returns what `AgentAnswered` has from its proposals on. Refusals are of proposals that could not be sent, and of
    those among the arrays that cannot be taken in. A part without a number is a whole answer.
    """
    arrays, reading, refusals, part, more = [*sent, *_SHORT[len(sent) :]][:5]
    good, refused = proposals_of(map(_decoded, arrays if isinstance(arrays, list) else ()))
    before = refusals[: PROPOSALS_MAX + 1] if isinstance(refusals, list) else ()
    number, goes_on = (part, more is True) if counts(part) else (0, False)
    return good, reading_of(reading), (*refusals_of(map(_decoded, before)), *refused), number, goes_on


_SHORT: tuple[Any, ...] = ((), None, (), 0, False)  # what an answer without these fields has


def counts(*numbers: Any) -> bool:
    """These are turns or revisions: whole numbers that a call can have reached."""
    return all(type(number) is int and 0 <= number <= COUNT_MAX for number in numbers)


def refusals_of(values: Iterable[Any]) -> tuple[Refusal, ...]:
    """Refusals that were made elsewhere, as a verdict may have them; what is none is left out."""
    return tuple(_bounded(value) for value in values if type(value) is Refusal)


def reading_of(value: Any) -> Reading | None:
    """A reader's answer, or its array; None where it is none."""
    if isinstance(value, list):
        value = _decoded(value)
    if type(value) is not Reading or type(value.says) is not Polarity or not isinstance(value.why, str):
        return None
    return Reading(value.says, on_one_line(str.__str__(value.why), REASON_CHARS_MAX))


def event_of(array: list[Any], at_ms: int) -> Event:
    """A word of an operator or a carrier, sent as the array of an event; it enters the call at `at_ms`.

    Raises:
        CallerFault: it is none of those that are told so, or a field is not what it should be.
    """
    if len(array) < 2 or type(array[0]) is not str or array[0] not in TOLD:
        raise CallerFault(f"what is told a call from outside is one of {', '.join(TOLD)}")
    event: Event = decode([array[0], at_ms, *array[2:]])
    for field in fields(event):
        text = getattr(event, field.name)
        if isinstance(text, str) and not tellable(text):
            raise CallerFault(f"{array[0]}.{field.name}: {TELLABLE}")
        if isinstance(text, Principal) and not text.fits:
            raise CallerFault(f"{array[0]}.{field.name}: who asks has an id, and printable characters on one line")
    return event


def tellable(text: str) -> bool:
    """Whether a word from outside may hold such a text. Who asks for one says so at once (`TELLABLE`)."""
    return len(text) <= WORD_CHARS_MAX and text.isprintable()


TELLABLE = f"up to {WORD_CHARS_MAX} printable characters on one line"  # what is required
# Operators decide and hang up; a carrier tells how a transfer ended.
TOLD: Mapping[str, type[Event]] = {
    kind.__name__: kind for kind in (OperatorDecided, HangupRequested, LineClosed, ActionFinished)
}


def delay_ms(proposal: Proposal) -> int:
    """How long an agent's timer waits; 0 where it does not say."""
    said = dict(proposal.arguments).get("after_ms", "0")
    return min(int(said), DELAY_MAX_MS) if _WHOLE.fullmatch(said) else 0


def _decoded(array: Any) -> Any:
    try:
        return decode(array)
    except CodecFault as fault:
        return fault


def _refusal(value: Any, fault: Refused) -> Refusal:
    """What a verdict can say of a value that may be anything."""
    names = ("id", "kind", "action", "purpose")
    proposal, kind, action, purpose = (
        getattr(value, name, None) if type(value) is Proposal else None for name in names
    )
    kind = kind if type(kind) is Kind else Kind.SAY
    what = _word(action) or (str(purpose) if type(purpose) is Purpose else "")
    return _bounded(Refusal(_word(proposal), kind, what, fault.rule, fault.required, fault.actual))


def _bounded(refusal: Refusal) -> Refusal:
    """As a verdict may have it, whatever its fields are."""
    return Refusal(
        proposal=_word(refusal.proposal),
        kind=refusal.kind if type(refusal.kind) is Kind else Kind.SAY,
        what=_word(refusal.what) or "proposal",
        rule=SAYABLE if _word(refusal.rule) == SAYABLE else WELL_FORMED,
        required=_word(refusal.required) or "something else",
        actual=_word(refusal.actual) or "this",
    )


def _word(value: Any) -> str:
    return on_one_line(str.__str__(value), FOUND_CHARS_MAX) if isinstance(value, str) else ""


# --- one proposal ---------------------------------------------------------------------------------------------------


def _checked(value: Any) -> Proposal:
    """Raises: Refused."""
    if type(value) is CodecFault:
        raise Refused("a proposal as its array", str(value).partition(", got")[0])  # what follows quotes it
    if type(value) is not Proposal:
        raise Refused("a Proposal", type(value).__name__)
    try:
        found = _READ(value)
    except AttributeError:
        raise Refused("a whole Proposal", "one without some of its fields") from None
    proposal = Proposal(*[check(name, field) for name, check, field in zip(_NAMES, _FIELD_CHECKS, found, strict=True)])
    _KINDS[proposal.kind](proposal)
    if not proposal.text and not proposal.terms:
        return proposal
    try:
        text = sayable(proposal.text)
        terms = tuple((name, _term(name, words, text)) for name, words in proposal.terms)
    except Unsayable as fault:
        raise Refused(fault.required, fault.actual, SAYABLE) from None
    return proposal if text == proposal.text and terms == proposal.terms else replace(proposal, text=text, terms=terms)


def _term(name: str, words: str, text: str) -> str:
    """The words of a term as they are said in the text. Raises: Refused, Unsayable."""
    if words[:1].isalnum() and f" {words} " in f" {text} ":
        return words
    words = sayable(words)
    if _bare(words) not in _bare(text):
        raise Refused(f"the words of the term {name!r} in the text", "others", SAYABLE)
    return words


def _bare(text: str) -> str:
    """The words of a text without their punctuation and case, as `evidence/heard.py` finds a term."""
    return f" {' '.join(word.strip(_PUNCTUATION) for word in text.lower().split())} "


# What each kind needs beside its fields.


def _says(proposal: Proposal) -> None:
    if not proposal.text:
        raise Refused("text to say", "none")


def _acts(proposal: Proposal) -> None:
    if not _TOOL.fullmatch(proposal.action) or proposal.action in _OTHER_NAMES:
        raise Refused("action: a tool's name", _quoted(proposal.action))


def _goes_to(proposal: Proposal) -> None:
    if not proposal.action:
        whom = "an agent" if proposal.kind is Kind.HANDOFF else "a target"
        raise Refused(f"action: {whom}", "none")


def _waits(proposal: Proposal) -> None:
    if not _TIMER.fullmatch(proposal.action) or proposal.action in _ROUNDS:
        raise Refused("action: a plain name of its own", _quoted(proposal.action))
    said = dict(proposal.arguments).get("after_ms", "0")
    if not _WHOLE.fullmatch(said) or int(said) > DELAY_MAX_MS:
        raise Refused(f"after_ms: a whole number from 0 to {DELAY_MAX_MS}, as text", _quoted(said))


def _ends(proposal: Proposal) -> None:
    if len(proposal.action) > NAME_CHARS_MAX:
        raise Refused(f"action: an outcome of at most {NAME_CHARS_MAX} characters", f"{len(proposal.action)}")


_PUNCTUATION = ".,;:!?\"'()[]…-"
_TOOL = re.compile(r"[^\W_][\w./-]{0,63}")  # no colon: "say:offer" is a name of the policy's, and counts as said
_TIMER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_WHOLE = re.compile(r"[0-9]{1,8}")  # no sign, no space, no digit of another script
_OTHER_NAMES = frozenset(str(kind) for kind in Kind if kind is not Kind.TOOL)  # under which rules go by kind
# Names of the core's own rounds and timers: an agent's timer is none of them.
_ROUNDS = frozenset(RoundReason)
_KINDS: Mapping[Kind, Callable[[Proposal], None]] = {
    Kind.SAY: _says,
    Kind.TOOL: _acts,
    Kind.HANDOFF: _goes_to,
    Kind.TRANSFER: _goes_to,
    Kind.HANGUP: _ends,
    Kind.TIMER: _waits,
}


def _quoted(text: str) -> str:
    return repr(text[:20]) if text else "none"


_NAMES = tuple(field.name for field in fields(Proposal))
_FIELD_CHECKS = tuple(CHECKS[name] for name in _NAMES)
_READ = attrgetter(*_NAMES)
