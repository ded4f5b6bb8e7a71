"""Concerns: an objection followed over turns, from the first word of it until it is settled, and when it comes back.

The lifecycle is the table LIFECYCLE; the diagram in the docs is generated from it. Which words raise or ease a concern
is read in `cues.py`; that a resolved one is not argued again is a rule of the gate (`gate/claim_rules.py`).
"""

from __future__ import annotations

from enum import StrEnum

from ..core.draft import Draft
from ..core.parts import replace
from ..core.state import CallState, Concern, Sign, Signal, Standing
from ..core.topics import Topic


class Cause(StrEnum):
    """What moves a concern."""

    RAISED = "raised"  # the caller voices it
    EASED = "eased"  # the caller gives ground
    ACCEPTED = "accepted"  # the caller agrees after it was answered


# A pair that is not here moves nothing: easing a resolved concern leaves it resolved.
LIFECYCLE: dict[tuple[Standing | None, Cause], Standing] = {
    (None, Cause.RAISED): Standing.OPEN,
    (Standing.OPEN, Cause.EASED): Standing.SOFTENING,
    (Standing.OPEN, Cause.ACCEPTED): Standing.RESOLVED,
    (Standing.SOFTENING, Cause.RAISED): Standing.OPEN,
    (Standing.SOFTENING, Cause.EASED): Standing.RESOLVED,
    (Standing.SOFTENING, Cause.ACCEPTED): Standing.RESOLVED,
    (Standing.RESOLVED, Cause.RAISED): Standing.REOPENED,
    (Standing.REOPENED, Cause.EASED): Standing.SOFTENING,
    (Standing.REOPENED, Cause.ACCEPTED): Standing.RESOLVED,
}

# How much of an answer a concern asks for; past `answers_max` nobody answers it again.
ANSWER_DUE: dict[Standing, str] = {
    Standing.OPEN: "full",
    Standing.SOFTENING: "light",
    Standing.RESOLVED: "none",
    Standing.REOPENED: "full",
}

OTHER = "fit"  # a worry without a topic of its own is about whether this is right for the caller

AGREES_AT = 0.65  # a CONFIRMATION this strong answers a question; a weaker one ("I see", "okay") only acknowledges
HISTORY_MAX = 64  # moves kept of one concern; a call that goes round in circles is ended by its limits before that

_OPEN = frozenset({Standing.OPEN, Standing.SOFTENING, Standing.REOPENED})


def hear(draft: Draft, signal: Signal) -> None:
    """What a signal does to the concerns. A partial reading may raise one; only final words ease or settle one."""
    if signal.sign is Sign.CONCERN:
        _raise(draft, signal)
    elif signal.sign in _EASING and not signal.provisional:
        _ease(draft, signal)


def forget(draft: Draft, signal_id: int) -> None:
    """The reading that a concern moved by was taken back: the concern stands where it stood before."""
    for concern in draft.state.concerns:
        moves = _without(concern.history, signal_id)
        if len(moves) == len(concern.history):
            continue
        if not moves:
            draft.state.concerns = tuple(c for c in draft.state.concerns if c is not concern)
            draft.publish(Topic.CONCERN, topic=concern.topic, standing="", why="taken back", answers=concern.answers)
        else:
            _put(draft, replace(concern, standing=moves[-1][1], history=moves), "taken back")


def answered(draft: Draft, topic: str) -> None:
    """The agent's answer to this concern has been heard."""
    concern = find(draft.state, topic)
    if concern is not None:
        _put(draft, replace(concern, answers=concern.answers + 1), "answered")


def find(state: CallState, topic: str) -> Concern | None:
    """The concern of this topic, if the caller ever voiced it."""
    return next((concern for concern in state.concerns if concern.topic == topic), None)


def answer_due(concern: Concern, answers_max: int) -> str:
    """The answer in proportion: "full", "light", "none", or "escalate" when it was answered often enough."""
    due = ANSWER_DUE[concern.standing]
    return "escalate" if due != "none" and concern.answers >= answers_max else due


def standing_open(state: CallState) -> tuple[Concern, ...]:
    """The concerns that the caller has given no ground on."""
    return tuple(c for c in state.concerns if c.standing in (Standing.OPEN, Standing.REOPENED))


def unsettled(state: CallState) -> tuple[Concern, ...]:
    """The concerns that are not resolved, the one that moved last coming first."""
    found = (concern for concern in state.concerns if concern.standing in _OPEN)
    return tuple(sorted(found, key=lambda concern: concern.history[-1][0], reverse=True))


# --- moves ----------------------------------------------------------------------------------------------------------

_Moved = tuple[int, Standing, int]  # at_ms, standing, signal id

_EASING = frozenset({Sign.SOFTENING, Sign.CONFIRMATION, Sign.COMMITMENT})


def _without(history: tuple[_Moved, ...], signal_id: int) -> tuple[_Moved, ...]:
    """The history had this signal not been: what came after it moves again from where the concern then stood."""
    at = next((n for n, moved in enumerate(history) if moved[2] == signal_id), len(history))
    kept = list(history[:at])
    for at_ms, to, by in history[at + 1 :]:
        cause = Cause.RAISED if to in (Standing.OPEN, Standing.REOPENED) else Cause.EASED
        after = LIFECYCLE.get((kept[-1][1] if kept else None, cause))
        if after is not None:
            kept.append((at_ms, after, by))
    return tuple(kept)


def _raise(draft: Draft, signal: Signal) -> None:
    topic = signal.topic or OTHER
    concern = find(draft.state, topic)
    if concern is None:
        opened = (signal.at_ms, Standing.OPEN, signal.id)
        concern = Concern(topic, LIFECYCLE[None, Cause.RAISED], signal.at_ms, (opened,), text=signal.text)
        _put(draft, concern, str(Cause.RAISED))
    elif signal.refers >= 0 and any(move[2] == signal.refers for move in concern.history):
        # The final words bear out the partial ones that it moved by.
        moves = tuple((at, to, signal.id if by == signal.refers else by) for at, to, by in concern.history)
        _replace(draft, replace(concern, history=moves, text=signal.text))
    else:
        _move(draft, replace(concern, text=signal.text), Cause.RAISED, signal)


def _ease(draft: Draft, signal: Signal) -> None:
    open_concerns = unsettled(draft.state)
    if not open_concerns:
        return
    answer = draft.state.speech.last
    answered_topic = answer.topic if answer is not None else ""
    if signal.topic:
        meant = tuple(concern for concern in open_concerns if concern.topic == signal.topic)
    elif signal.sign is Sign.COMMITMENT:
        meant = tuple(concern for concern in open_concerns if concern.answers)
    else:
        meant = tuple(concern for concern in open_concerns if concern.topic == answered_topic)
        if not meant and signal.sign is Sign.SOFTENING:
            meant = open_concerns[:1]
    for concern in meant:
        if _voiced_now(draft.state, concern.topic):
            continue  # "that's fair, but it is still too much": what was raised in the same breath is not eased by it
        agrees = signal.sign is Sign.COMMITMENT or (
            signal.sign is Sign.CONFIRMATION and signal.strength >= AGREES_AT and concern.answers > 0
        )
        _move(draft, concern, Cause.ACCEPTED if agrees else Cause.EASED, signal)


def _voiced_now(state: CallState, topic: str) -> bool:
    """True where this very event also raised it."""
    for signal in reversed(state.ledger.signals):
        if signal.revision != state.revision:
            return False
        if signal.sign is Sign.CONCERN and (signal.topic or OTHER) == topic:
            return True
    return False


def _move(draft: Draft, concern: Concern, cause: Cause, signal: Signal) -> None:
    after = LIFECYCLE.get((concern.standing, cause))
    if after is None:
        _replace(draft, concern)
        return
    moves = (*concern.history, (signal.at_ms, after, signal.id))[-HISTORY_MAX:]
    _put(draft, replace(concern, standing=after, history=moves), str(cause))


def _put(draft: Draft, concern: Concern, why: str) -> None:
    _replace(draft, concern)
    draft.publish(
        Topic.CONCERN,
        topic=concern.topic,
        standing=str(concern.standing),
        why=why,
        answers=concern.answers,
        due=answer_due(concern, draft.policy.concerns.answers_max),
    )


def _replace(draft: Draft, concern: Concern) -> None:
    before = draft.state.concerns
    if any(known.topic == concern.topic for known in before):
        draft.state.concerns = tuple(concern if known.topic == concern.topic else known for known in before)
    else:
        draft.state.concerns = (*before, concern)
