"""End of turn: how long a pause is waited out before the caller's turn counts as over.

    patience = base(stage) x this caller's own pauses x how complete the words are        (floor <= patience <= ceiling)

Belongs here: the patience, what is learnt about this caller's pauses, and the decision. The words' completeness is
the language's matter; what the agents then say is `gate/arbitration.py`'s matter, how long nobody speaks
`silence.py`'s. While an overlap is open or the agent is heard, nothing is decided here: `barge_in.py` arms anew after a
cut. Words that come in after the decision and before the agent is heard take it back.
"""

from __future__ import annotations

from ..core.commands import RoundReason
from ..core.draft import Draft
from ..core.events import (
    DigitPressed,
    PlaybackEnded,
    PlaybackFailed,
    SpeechEnded,
    SpeechStarted,
    TimerFired,
    WordsHeard,
)
from ..core.parts import part, replace
from ..core.policy import Endpointing
from ..core.state import Cadence, CallState, EndOfTurn, Holder, Line, Playing, Stage
from ..core.topics import Topic
from ..evidence import owed
from ..gate import arbitration, consent, debts, execution
from ..language.port import registry
from ..language.port.port import UNWEIGHED, Completeness
from ..speech import cadence, speaking, turns
from ..speech.floor import Move
from . import presence, silence

TIMER = "end_of_turn"

_PAUSE_MIN_MS = 150  # shorter gaps are the closures of plosives, not pauses
_SETTLE_MS = 120  # a partial reading is followed by the next within this time while words still come in
_WORDLESS_TURN_MS = 600  # voiced speech that a working recognizer reads nothing from: shorter is noise


@part
class Patience:
    """How long to wait from the end of the last voiced frame, and the factors in words and numbers."""

    ms: int
    why: str


def patience(policy: Endpointing, stage: Stage, known: Cadence, found: Completeness) -> Patience:
    """The patience at a pause after words that are so complete, for a caller of this cadence."""
    base_ms = policy.base_ms.get(stage, policy.floor_ms)
    own = cadence.factor(known)
    wanted = base_ms * own * found.factor
    ms = round(min(max(wanted, policy.floor_ms), policy.ceiling_ms))
    bound = " (floor)" if ms > wanted + 0.5 else " (ceiling)" if ms < wanted - 0.5 else ""
    pauses = f"mean {known.mean_ms:.0f} ms, {known.pauses} pauses" if known.pauses else "caller not known yet"
    return Patience(
        ms, f"{base_ms} ms {stage} x {own:.2f} cadence ({pauses}) x {found.factor:.2f} {found.why} = {ms} ms{bound}"
    )


# --- events ---------------------------------------------------------------------------------------------------------


def speech_started(draft: Draft, event: SpeechStarted) -> None:
    """The caller goes on: nothing is pending any more, and the pause teaches how this caller pauses."""
    state = draft.state
    draft.disarm(TIMER)
    pending = state.end_of_turn
    pause_ms = event.onset_ms - pending.anchor_ms
    real = bool(state.hearing.segments) or "recognizer" in state.lost_parts
    if (
        pending.anchor_ms
        and real
        and _PAUSE_MIN_MS <= pause_ms <= draft.policy.endpointing.ceiling_ms
        and not _agent_heard_since(state, pending.anchor_ms)
    ):
        state.cadence = cadence.learn(state.cadence, pause_ms, draft.policy.endpointing.step_share)
    if pending.deadline_ms:
        state.end_of_turn = replace(pending, deadline_ms=0)


def speech_ended(draft: Draft, event: SpeechEnded) -> None:
    """A pause begins: wait it out."""
    if not _blocked(draft.state):
        arm(draft)


def words_heard(draft: Draft, event: WordsHeard) -> None:
    """Newer words say newly how complete the turn is, even where it was declared over and nothing is heard yet."""
    state = draft.state
    hearing = state.hearing
    if hearing.speaking or _blocked(state) or turns.belongs_to_an_earlier_turn(draft, event):
        return
    pending = state.end_of_turn
    if pending.decided_ms:
        if turns.plain(hearing.words) == turns.plain(pending.decided_words):
            return
        turns.drop_round(draft)
        if state.speech.current is not None:
            speaking.cut(draft, "late words")
    elif not hearing.segments:
        if pending.deadline_ms and not turns.unread(state):
            arm(draft)  # all was read, and nothing was found
        return
    read = bool(event.text.strip())  # else the recognizer only tells how far it is
    settle_until_ms = state.now_ms + _SETTLE_MS if read and not event.final else 0
    arm(draft, settle_until_ms, words_end_ms=event.ended_ms if read else 0)


def digit_pressed(draft: Draft, event: DigitPressed) -> None:
    """A key is an answer by itself: wait for the next one; `#` ends the entry, as telephones do."""
    state = draft.state
    if state.hearing.speaking or _blocked(state):
        owed.paid(draft, "key", "")  # a further key: the entry goes on
        owed.owe(draft, "key", "")
        return
    gap_ms = 0 if event.digit == "#" else draft.policy.endpointing.digit_gap_ms
    _set(draft, state.now_ms + gap_ms, Patience(gap_ms, f"{gap_ms} ms after key"), state.now_ms)


def playback_ended(draft: Draft, event: PlaybackEnded | PlaybackFailed) -> None:
    """The agent has been heard out: keys and words that came meanwhile, and belong to nothing said before, are due."""
    state = draft.state
    if state.hearing.speaking or _blocked(state) or state.speech.current is not None or TIMER in draft.timers:
        return
    pressed = next((debt for debt in state.debts if debt.kind == "key"), None)
    if pressed is not None:
        owed.paid(draft, pressed.kind, pressed.what)
        deadline_ms = max(state.now_ms, pressed.since_ms + draft.policy.endpointing.digit_gap_ms)
        _set(draft, deadline_ms, Patience(deadline_ms - state.now_ms, "after key"), state.now_ms)
    elif state.hearing.segments:
        arm(draft)


def timer_fired(draft: Draft, event: TimerFired) -> None:
    """Patience has run out: the turn is over, unless it was never one."""
    state = draft.state
    if state.hearing.speaking or _blocked(state):
        return  # who speaks now arms anew when they are done
    if _was_noise(draft):
        state.end_of_turn = replace(state.end_of_turn, deadline_ms=0)
        _yield_floor(draft)
        silence.resume(draft)
        execution.floor_free(draft)
        debts.settle_up(draft)
        return
    _turn_over(draft)


def line_resumed(draft: Draft) -> None:
    """The line is back. The break ended every overlap, and whoever spoke may have stopped unheard: count from now.

    Held speech gets the floor back (`speaking.line_resumed` goes on with it); else the caller's turn is waited out.
    """
    state = draft.state
    state.overlap = None
    draft.disarm("overlap")
    if state.hearing.speaking:
        state.hearing = replace(state.hearing, speaking=False, ended_ms=state.now_ms)
    unanswered = (
        state.floor.holder is Holder.CALLER
        or state.end_of_turn.deadline_ms
        or state.authority.suspended_since_ms
        or state.hearing.segments
    )
    if state.speech.current is not None and state.speech.current.playing is Playing.HELD:
        _yield_floor(draft)
    elif unanswered and not _blocked(state):
        arm(draft)


# --- the decision ---------------------------------------------------------------------------------------------------


def arm(draft: Draft, settle_until_ms: int = 0, words_end_ms: int = 0) -> None:
    """Decide the end of the turn when this pause has outlasted the patience, counted from the last voiced frame."""
    state = draft.state
    hearing = state.hearing
    anchor_ms = min(state.now_ms, max(hearing.ended_ms, words_end_ms))
    limits, judge = draft.policy.endpointing, registry.of(draft.policy).completeness
    complete = judge(hearing.words, hearing.answering) if limits.semantic else UNWEIGHED
    found = patience(limits, state.stage, state.cadence, complete)
    deadline_ms = anchor_ms + found.ms
    if turns.unread(state) or consent.awaits_final_words(state):  # what is still on its way belongs to this turn
        deadline_ms = max(deadline_ms, anchor_ms + draft.policy.endpointing.unread_ms)
    _set(draft, max(deadline_ms, settle_until_ms, state.now_ms), found, anchor_ms)


def _set(draft: Draft, deadline_ms: int, found: Patience, anchor_ms: int) -> None:
    draft.state.end_of_turn = EndOfTurn(deadline_ms, found.ms, anchor_ms, found.why)
    draft.arm(TIMER, deadline_ms)


def _turn_over(draft: Draft) -> None:
    state = draft.state
    pending = state.end_of_turn
    owed.paid(draft, "key", "")
    state.end_of_turn = replace(pending, deadline_ms=0, decided_ms=state.now_ms, decided_words=state.hearing.words)
    _yield_floor(draft)
    reason = RoundReason.INTERRUPTED if state.authority.suspended_since_ms else RoundReason.TURN_ENDED
    execution.restore(draft)
    draft.publish(
        Topic.TURN,
        number=state.turn,
        why="ended",
        patience_ms=pending.patience_ms,
        factors=pending.why,
        waited_ms=state.now_ms - pending.anchor_ms,
    )
    if state.answering.armed and state.answering.decided != "human":
        return  # nobody is known to be there; whoever finds one opens the round
    if presence.turn_over(draft):
        execution.floor_free(draft)
        return  # a recording is owed no answer
    consent.conclude(draft)
    silence.caller_finished(draft)
    if reason is RoundReason.INTERRUPTED and _nothing_said(state):
        owed.owe(draft, "sentence", state.speech.last.id if state.speech.last is not None else "")
        debts.settle_up(draft)
        if state.speech.current is not None:
            return
    arbitration.open_round(draft, reason)


def _nothing_said(state: CallState) -> bool:
    """The agent gave way to a sound in which a working recognizer found no word."""
    last = state.speech.last
    cut_off = last is not None and last.playing is Playing.CUT and not last.told
    pressed = state.end_of_turn.why.endswith("after key")
    return cut_off and not pressed and not state.hearing.words and "recognizer" not in state.lost_parts


def _yield_floor(draft: Draft) -> None:
    if draft.state.floor.holder is Holder.CALLER:
        turns.move(draft, Move.CALLER_YIELDS)


def _blocked(state: CallState) -> bool:
    """Somebody else decides now: the overlap's judge, the agent who is heard, or the line that is not open."""
    current = state.speech.current
    return (
        state.overlap is not None
        or state.line is not Line.OPEN
        or (current is not None and current.playing is not Playing.SENT)
    )


def _was_noise(draft: Draft) -> bool:
    """A sound without words, too short to be a turn. An interruption is never noise: the agent gave way to it."""
    state = draft.state
    if state.hearing.words or state.authority.suspended_since_ms or state.end_of_turn.why.endswith("after key"):
        return False
    if any(debt.kind == "key" for debt in state.debts):
        return False  # pressed under the sound, whatever that was
    lost = "recognizer" in state.lost_parts
    return state.hearing.voiced_ms < (draft.policy.barge_in.noise_below_ms if lost else _WORDLESS_TURN_MS)


def _agent_heard_since(state: CallState, moment_ms: int) -> bool:
    current, last = state.speech.current, state.speech.last
    if current is not None and current.started_ms:
        return True
    return last is not None and last.started_ms > 0 and last.ended_ms > moment_ms
