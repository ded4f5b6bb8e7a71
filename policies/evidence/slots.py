"""Slots: the things to be agreed on (a time, a number, a name), from the first mention to the caller's yes.

A value is heard (a DETAIL signal whose topic is the slot), read back by an utterance of purpose CONFIRMATION that names
the slot, and confirmed by the caller's yes to it; a no clears it, another value replaces it and must be read back
again. Finding values in words is `language/en/values.py`'s matter.
"""

from __future__ import annotations

from ..core.draft import Draft
from ..core.parts import replace
from ..core.proposals import Asks, Purpose
from ..core.state import CallState, Sign, Signal, Slot, Utterance
from ..core.topics import Topic
from ..language.port import registry
from ..language.port.port import TIME
from . import evidence, heard

CONFIRMS_AT = 0.5  # an answer to the question whether it is right; "I see" is none
DIGITS_MAX = 32  # of one dictated number


def hear(draft: Draft, signal: Signal) -> None:
    """What a signal does to the slots. Partial words may fill one; only final words confirm or clear one."""
    if signal.sign is Sign.DETAIL:
        _fill(draft, signal)
    elif signal.provisional:
        return
    elif signal.sign in (Sign.CONFIRMATION, Sign.COMMITMENT) and signal.strength >= CONFIRMS_AT:
        confirm(draft, signal)
    elif signal.sign is Sign.DENIAL and signal.strength >= CONFIRMS_AT:
        _clear(draft, signal)


def confirm(draft: Draft, signal: Signal) -> None:
    """The caller says yes: the slot that was just read back, with this very value, is confirmed."""
    name = read_back(draft)
    slot = find(draft.state, name)
    if slot is not None and not slot.confirmed and not _said_now(draft.state, name):
        _put(draft, replace(slot, confirmed=True, signal=signal.id), "confirmed")


def agree(draft: Draft, slot: Slot, utterance: str) -> None:
    """The answer to its read-back, taken as a whole: agreed to, or ("") not even confirmed."""
    confirmed = bool(utterance)
    if slot.agreed == utterance and slot.confirmed is confirmed:
        return
    _replace(draft, replace(slot, confirmed=confirmed, agreed=utterance))
    why = "agreed" if confirmed else "not agreed"
    draft.publish(Topic.SLOT, name=slot.name, pii_value=slot.value, confirmed=confirmed, why=why)


def forget(draft: Draft, signal_id: int) -> None:
    """The reading that a slot rests on was taken back: the value said before it stands again, to be confirmed anew."""
    for slot in draft.state.slots:
        if slot.signal != signal_id:
            continue
        earlier = next((s for s in evidence.standing(draft.state.ledger, (Sign.DETAIL,)) if s.topic == slot.name), None)
        if earlier is None:
            _drop(draft, slot, "taken back")
        else:
            _put(draft, Slot(slot.name, earlier.text, False, earlier.id), "taken back")


def find(state: CallState, name: str) -> Slot | None:
    """The slot of this name, if it was ever filled."""
    return next((slot for slot in state.slots if slot.name == name), None)


def read_back(draft: Draft) -> str:
    """The slot that the agent has just read back so that the caller has heard it; empty = none."""
    state = draft.state
    for utterance in (state.speech.current, state.speech.question or state.speech.last):
        if utterance is None or utterance.started_ms == 0:
            continue
        if utterance.purpose is Purpose.CONFIRMATION and utterance.slot and _was_heard(draft, utterance):
            return utterance.slot
        if utterance is state.speech.current and utterance.heard_ms == 0:
            continue  # hardly begun: the caller still answers the one before
        return ""
    return ""


def _was_heard(draft: Draft, utterance: Utterance) -> bool:
    """Its value was heard to its end, and is the one that stands."""
    slot = find(draft.state, utterance.slot)
    same = registry.of(draft.policy).same
    own = [term for term in heard.terms(utterance) if term.name == utterance.slot]
    return slot is not None and heard.whole(utterance) and all(same(term.value, slot.value) for term in own)


# --- changes --------------------------------------------------------------------------------------------------------


def _fill(draft: Draft, signal: Signal) -> None:
    name = signal.topic
    known = find(draft.state, name)
    value = signal.text
    if known is not None and signal.refers >= 0 and signal.refers == known.signal:
        value = _borne_out(draft, known, signal)
        if value == known.value:
            _replace(draft, replace(known, signal=signal.id))
        else:
            _put(draft, Slot(name, value, False, signal.id), "heard")
        return
    if known is not None:
        value = _joined(draft, known, signal)
        if value == known.value:
            return  # said again: what was confirmed stays so
    _put(draft, Slot(name, value, False, signal.id), "heard")


def _borne_out(draft: Draft, known: Slot, signal: Signal) -> str:
    """The value as the final words have it; what earlier pieces gave to it stays."""
    partial = draft.state.ledger.signals[signal.refers].text
    if signal.text == partial:
        return known.value
    if partial == known.value:
        return signal.text
    if partial.isdigit() and signal.text.isdigit():
        return known.value.removesuffix(partial) + signal.text
    return registry.of(draft.policy).merged(known.value, signal.text)


def _joined(draft: Draft, known: Slot, signal: Signal) -> str:
    """A value said in pieces: a day, then a time; a number dictated with pauses within one turn, or key by key."""
    state, language = draft.state, registry.of(draft.policy)
    before = state.ledger.signals[known.signal] if known.signal < len(state.ledger.signals) else None
    if signal.text.isdigit() and known.value.isdigit():
        pieces = before is not None and before.sign is Sign.DETAIL and before.turn == signal.turn
        same_segment = before is not None and signal.segment >= 0 and before.segment == signal.segment
        if pieces and not same_segment and (state.hearing.answering is Asks.DIGITS or signal.source == "digits"):
            return (known.value + signal.text)[-DIGITS_MAX:]
        return signal.text
    if known.name == TIME or state.hearing.answering is Asks.TIME or language.is_moment(known.value):
        return language.merged(known.value, signal.text)
    return signal.text


def _clear(draft: Draft, signal: Signal) -> None:
    name = read_back(draft)
    slot = find(draft.state, name)
    if slot is not None and not _said_now(draft.state, name):
        _drop(draft, slot, "denied")


def _said_now(state: CallState, name: str) -> bool:
    """True where this very event gave the slot a value: "no, wednesday" is not "no" to wednesday."""
    slot = find(state, name)
    return slot is not None and state.ledger.signals[slot.signal].revision == state.revision


def _put(draft: Draft, slot: Slot, why: str) -> None:
    _replace(draft, slot)
    _void_consent(draft, slot.name, slot.value)
    draft.publish(Topic.SLOT, name=slot.name, pii_value=slot.value, confirmed=slot.confirmed, why=why)


def _drop(draft: Draft, slot: Slot, why: str) -> None:
    _void_consent(draft, slot.name, "")
    draft.state.slots = tuple(known for known in draft.state.slots if known.name != slot.name)
    draft.publish(Topic.SLOT, name=slot.name, pii_value="", confirmed=False, why=why)


def _replace(draft: Draft, slot: Slot) -> None:
    before = draft.state.slots
    if any(known.name == slot.name for known in before):
        draft.state.slots = tuple(slot if known.name == slot.name else known for known in before)
    else:
        draft.state.slots = (*before, slot)


def _void_consent(draft: Draft, name: str, value: str) -> None:
    """A slot has another value than was agreed to: the consent to the old one is void."""
    given = draft.state.consent
    if given is not None and any(
        term.name == name and not registry.of(draft.policy).same(term.value, value) for term in given.terms
    ):
        draft.state.consent = None
