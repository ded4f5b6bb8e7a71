"""A caller under whose words the recognizer is lost is told so: once a loss, when it is the agent's turn to speak.

Belongs here: that line. Whoever speaks later, to a call without a recognizer, is answered by the agents as in any such
call. What was said meanwhile may still come in from another recognizer; then the words are answered, and nothing is
apologized for.
"""

from __future__ import annotations

from ..core.draft import Draft
from ..core.events import HealthChanged, SpeechEnded
from ..core.parts import replace
from ..core.proposals import CORE, Answer, Kind, Proposal, Purpose
from ..core.state import Holder, Line
from ..core.topics import Topic
from ..gate import arbitration

PART = "recognizer"
_ID = "core-unheard-"
_CALLER_SPEAKS = (Holder.CALLER, Holder.BOTH)  # or has just spoken, and the turn is waited out
_SPEECH_MIN_MS = 600  # voiced; less may have been a cough


def health_changed(draft: Draft, event: HealthChanged) -> None:
    """The recognizer is lost, or back."""
    state = draft.state
    if event.part != PART:
        return
    if event.up:
        state.unheard_since_ms = 0
        _withdraw(draft)
    elif state.line is Line.OPEN and state.floor.holder in _CALLER_SPEAKS and not state.unheard_since_ms:
        state.unheard_since_ms = max(1, event.at_ms)
        if not state.hearing.speaking:
            _tell(draft)


def speech_ended(draft: Draft, _event: SpeechEnded) -> None:
    """The caller has said something that nobody reads."""
    if draft.state.unheard_since_ms:
        _tell(draft)


def _tell(draft: Draft) -> None:
    """Offer the line where the caller's turn is waited out: it is said when the turn is over, in place of a round."""
    state = draft.state
    text = draft.policy.limits.unheard_line
    spoke = state.floor.holder is Holder.CALLER and state.hearing.voiced_ms >= _SPEECH_MIN_MS
    if not text or not spoke or state.speech.current is not None:
        return
    verdict = arbitration.offer(
        draft,
        Proposal(
            id=f"{_ID}{state.revision}",
            agent=CORE,
            kind=Kind.SAY,
            turn=state.turn,
            basis=state.revision,
            text=text,
            purpose=Purpose.NOTICE,
            priority=1.0,
            reason="the recognizer is lost while the caller speaks",
        ),
    )
    if verdict.answer in (Answer.GRANT, Answer.WAIT):
        state.unheard_since_ms = 0


def _withdraw(draft: Draft) -> None:
    """The words are read after all: what waits to be said of it is not true any more."""
    authority = draft.state.authority
    left = tuple(p for p in authority.waiting if not p.id.startswith(_ID))
    if len(left) < len(authority.waiting):
        draft.state.authority = replace(authority, waiting=left)
        draft.publish(Topic.HEALTH, part=PART, up=True, withdrawn="unheard_line")
