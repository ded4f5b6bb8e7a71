"""Heard: what counts as told. A thing was told when the caller has heard it, by the carrier's position, and not before.

Where a value, a price or a term matters, its own words must have been played to their end (`Term`); a share of the
whole does only where nothing in it has such a span. Which proposals name terms themselves, and which the core finds
(the value that is read back, the amount in an offer), is decided here; so is what becomes of counts like `times_max`.
"""

from __future__ import annotations

from ..core.dialogue import Term, Told
from ..core.draft import Draft
from ..core.parts import replace
from ..core.proposals import Proposal, Purpose
from ..core.state import CallState, Playing, Utterance
from ..language.port import registry

SHARE = 0.7  # of an utterance in which no words matter by themselves
REPORT_MS = 300  # from the moment at which something was heard until it is known: the way back, an onset's confirmation
CLOCK_MS = 1_000  # ... where no mark comes back and the clock tells after a grace
TOLD_MAX = 32  # terms that are remembered, the newest; nobody agrees to the thirty-third
_MARKS = "$€£%"
_STRIPPED = ".,;:!?\"'()[]…-"


# --- terms ----------------------------------------------------------------------------------------------------------


def terms_of(draft: Draft, proposal: Proposal) -> tuple[Term, ...]:
    """The terms of a text: those that the proposal names, else the value that it reads back, or the amount it offers.

    What does not stand in the text is not told by it.
    """
    named = proposal.terms
    if not named and proposal.purpose is Purpose.CONFIRMATION:
        named = tuple((slot.name, slot.value) for slot in draft.state.slots if slot.name == proposal.slot)
    if named:
        words = _plain(proposal.text)
        found = [Term(name, value, _end_of(words, value)) for name, value in named]
        return tuple(term for term in found if term.ends)
    if proposal.purpose is Purpose.OFFER:
        return _amount(proposal.text.split(), registry.of(draft.policy).money)
    return ()


def _amount(words: list[str], money: frozenset[str]) -> tuple[Term, ...]:
    """The last amount of money in an offer."""
    for at in range(len(words) - 1, -1, -1):
        word = words[at]
        if word.strip(_STRIPPED).lower() in money or any(mark in word for mark in _MARKS):
            return (Term("price", word.strip(_STRIPPED), at + 1),)
    return ()


def _end_of(words: list[str], value: str) -> int:
    """How many of `words` must be heard so that the last mention of `value` is heard whole; 0 = it is not there."""
    wanted = _plain(value)
    for start in range(len(words) - len(wanted), -1, -1):
        if wanted and words[start : start + len(wanted)] == wanted:
            return start + len(wanted)
    return 0


def _plain(text: str) -> list[str]:
    return [word.strip(_STRIPPED).lower() for word in text.split()]


# --- what was heard -------------------------------------------------------------------------------------------------


def whole(utterance: Utterance) -> bool:
    """It counts as told."""
    if utterance.playing is Playing.ENDED:
        return True
    if utterance.terms:
        return all(term.ends <= utterance.words for term in utterance.terms)
    return share(utterance) >= SHARE


def count_of(text: str, heard_text: str) -> int:
    """How many words of a text were heard to their end; one that breaks off in its middle was not."""
    count = len(heard_text.split())
    broken = text.startswith(heard_text) and text[len(heard_text) : len(heard_text) + 1].isalnum()
    return count - 1 if broken and heard_text[-1:].isalnum() else count


def share(utterance: Utterance) -> float:
    """How much of it was heard, 0 to 1."""
    if utterance.playing is Playing.ENDED:
        return 1.0
    if utterance.total_ms > 0:
        return min(1.0, utterance.heard_ms / utterance.total_ms)
    return utterance.words / max(1, len(utterance.text.split()))


def terms(utterance: Utterance) -> tuple[Term, ...]:
    """Those of its terms that were heard to their end."""
    if utterance.playing is Playing.ENDED:
        return utterance.terms
    return tuple(term for term in utterance.terms if term.ends <= utterance.words)


def dated(utterance: Utterance, at_ms: int, late_ms: int) -> Utterance:
    """The utterance with the moment at which it came to be told, if it is; reports come `late_ms` late at most."""
    if utterance.told_ms or not utterance.started_ms or not whole(utterance):
        return utterance
    return replace(utterance, told_ms=max(utterance.started_ms, at_ms - late_ms))


def note(draft: Draft, utterance: Utterance) -> Utterance:
    """Write down what of an utterance is told by now, each thing once; returns the utterance as it is to be kept."""
    state = draft.state
    known = {(told.name, told.value) for told in state.told if told.utterance == utterance.id}
    fresh = [term for term in terms(utterance) if (term.name, term.value) not in known]
    if fresh:
        told = [Told(term.name, term.value, utterance.id, state.now_ms, state.revision) for term in fresh]
        state.told = (*state.told, *told)[-TOLD_MAX:]
    if utterance.told or utterance.started_ms == 0 or not whole(utterance):
        return utterance
    _count(draft, utterance)
    return replace(utterance, told=True)


def _count(draft: Draft, utterance: Utterance) -> None:
    """Limits such as `times_max` count what was heard."""
    authority, now_ms = draft.state.authority, draft.state.now_ms
    name = f"say:{utterance.purpose}"
    done = counted(authority.done, name, now_ms)
    if utterance.topic or utterance.slot:
        done = counted(done, f"{name}:{utterance.topic or utterance.slot}", now_ms)
    draft.state.authority = replace(authority, done=done)


Done = tuple[tuple[str, int, int], ...]  # (name, times, last at_ms)


def counted(done: Done, name: str, now_ms: int) -> Done:
    """One more under this name."""
    others = tuple(entry for entry in done if entry[0] != name)
    times = sum(count for key, count, _ in done if key == name)
    return (*others, (name, times + 1, now_ms))


def told_of(state: CallState, name: str) -> Told | None:
    """The newest telling of a term, if it was ever told."""
    return next((told for told in reversed(state.told) if told.name == name), None)
