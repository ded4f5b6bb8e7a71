"""Stages: where the conversation stands, and what moves it.

All moves are rows of the table STAGES; a pair that is not there moves nothing. The words' meaning is read in
`evidence/cues.py`; what a stage permits is the policy's matter (`ActionRules.stages`), checked by the gate.
"""

from __future__ import annotations

from enum import StrEnum

from ..core.draft import Draft
from ..core.events import ActionFinished, WordsHeard
from ..core.proposals import Purpose
from ..core.state import CallState, Sign, Signal, Stage
from ..core.topics import Topic
from ..evidence import concerns
from ..gate.case import done


class Cause(StrEnum):
    """What moves the conversation on."""

    ENGAGED = "engaged"  # the caller talks with us
    OFFERED = "offered"  # terms were named
    INTERESTED = "interested"
    CONCERN = "concern"
    EASED = "eased"  # the last concern is softening or resolved
    COMMITTED = "committed"
    WITHDRAWN = "withdrawn"  # a refusal while booking
    BOOKED = "booked"
    LEAVING = "leaving"  # the caller says goodbye
    STOPPED = "stopped"  # the caller wants no more calls


STAGES: dict[tuple[Stage, Cause], Stage] = {
    (Stage.OPENING, Cause.ENGAGED): Stage.QUALIFYING,
    (Stage.OPENING, Cause.OFFERED): Stage.OFFERING,
    (Stage.OPENING, Cause.CONCERN): Stage.OBJECTING,
    (Stage.OPENING, Cause.COMMITTED): Stage.BOOKING,
    (Stage.QUALIFYING, Cause.OFFERED): Stage.OFFERING,
    (Stage.QUALIFYING, Cause.INTERESTED): Stage.OFFERING,
    (Stage.QUALIFYING, Cause.CONCERN): Stage.OBJECTING,
    (Stage.QUALIFYING, Cause.COMMITTED): Stage.BOOKING,
    (Stage.OFFERING, Cause.CONCERN): Stage.OBJECTING,
    (Stage.OFFERING, Cause.COMMITTED): Stage.BOOKING,
    (Stage.OBJECTING, Cause.EASED): Stage.OFFERING,
    (Stage.OBJECTING, Cause.COMMITTED): Stage.BOOKING,
    (Stage.BOOKING, Cause.CONCERN): Stage.OBJECTING,
    (Stage.BOOKING, Cause.WITHDRAWN): Stage.OFFERING,
    (Stage.BOOKING, Cause.BOOKED): Stage.CLOSING,
    (Stage.OFFERING, Cause.BOOKED): Stage.CLOSING,
    (Stage.OBJECTING, Cause.BOOKED): Stage.CLOSING,
    (Stage.CLOSING, Cause.CONCERN): Stage.OBJECTING,
    (Stage.CLOSING, Cause.COMMITTED): Stage.BOOKING,
    **{(stage, Cause.LEAVING): Stage.CLOSING for stage in Stage if stage is not Stage.CLOSING},
    **{(stage, Cause.STOPPED): Stage.CLOSING for stage in Stage if stage is not Stage.CLOSING},
}

# Which signs of one reading are looked at, strongest claim first: who commits and worries in one breath, worries.
_CAUSES: tuple[tuple[Sign, Cause], ...] = (
    (Sign.STOP, Cause.STOPPED),
    (Sign.GOODBYE, Cause.LEAVING),
    (Sign.CONCERN, Cause.CONCERN),
    (Sign.DENIAL, Cause.WITHDRAWN),
    (Sign.COMMITMENT, Cause.COMMITTED),
    (Sign.INTEREST, Cause.INTERESTED),
)

WITHDRAWS_AT = 0.8  # a DENIAL this strong takes a commitment back; "no" to a read-back time does not


def words_heard(draft: Draft, event: WordsHeard) -> None:
    """Final words move the stage; partial ones do not, because a stage is not taken back."""
    if not event.final or not event.text.strip():
        return
    state = draft.state
    if _was_offered(state):
        advance(draft, Cause.OFFERED)
    found = {signal.sign: signal for signal in _of_this_reading(state)}
    for sign, cause in _CAUSES:
        signal = found.get(sign)
        if signal is not None and _moves(state, cause, signal):
            advance(draft, cause)
            break
    if state.stage is Stage.OBJECTING and not concerns.standing_open(state):
        advance(draft, Cause.EASED)
        if Sign.COMMITMENT in found:
            advance(draft, Cause.COMMITTED)
    advance(draft, Cause.ENGAGED)


def action_finished(draft: Draft, event: ActionFinished) -> None:
    """A tool did its work (the gate has noted it): when what cannot be undone is done, the rest is goodbye."""
    act = next((act for act in reversed(draft.state.authority.acts) if act.grant == event.grant), None)
    rules = draft.policy.gate.actions.get(act.action) if act is not None and act.ok else None
    if rules is not None and rules.irreversible:
        advance(draft, Cause.BOOKED)


def advance(draft: Draft, cause: Cause | str) -> bool:
    """Move by one row of the table; False where the table has none. A caller who asked to stop stays in CLOSING.

    Raises:
        ValueError: there is no such cause.
    """
    state = draft.state
    before = state.stage
    if before is Stage.CLOSING and state.ledger.stopped >= 0:
        return False
    after = STAGES.get((before, Cause(cause)))
    if after is None:
        return False
    state.stage = after
    draft.publish(Topic.STAGE, stage=str(after), before=str(before), cause=str(cause))
    return True


def _of_this_reading(state: CallState) -> list[Signal]:
    """The signals of this event that count."""
    found = []
    for signal in reversed(state.ledger.signals):
        if signal.revision != state.revision:
            break
        if signal.id not in state.ledger.retracted and signal.sign is not Sign.RETRACTION:
            found.append(signal)
    return found


def _moves(state: CallState, cause: Cause, signal: Signal) -> bool:
    if cause is Cause.WITHDRAWN:
        return signal.strength >= WITHDRAWS_AT and state.speech.last is not None and not state.speech.last.slot
    if cause is Cause.COMMITTED:
        return not concerns.standing_open(state)
    return True


def _was_offered(state: CallState) -> bool:
    return done(state, f"say:{Purpose.OFFER}")[0] > 0
