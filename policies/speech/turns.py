"""Turns: what is known of the caller's present turn, who holds the floor, and the turn number that fences.

The turn number rises when the caller says something new and when the caller interrupts: whatever was computed under
an older number is refused at the gate, however late it comes. When a turn is over is decided in
`conversation/endpointing.py`.
"""

from __future__ import annotations

import re

from ..core.dialogue import Segment
from ..core.draft import Draft
from ..core.events import CallCreated, SpeechEnded, SpeechMeasured, SpeechStarted, WordsHeard
from ..core.parts import replace
from ..core.state import CallerSpeech, CallState, Floor, Holder, Line, Playing, Utterance
from ..core.topics import Topic
from ..language.port import registry
from . import transcript
from .floor import Move, next_holder

ROUND_TIMER = "round"  # the open round's deadline; also "round.<name>", see `gate/arbitration.py`
_READ_SLACK_MS = 250  # of a talkspurt's end: the last consonant and the hang-over hold no word of their own
_TAKEN_UP_MS = 1_000  # of an answer: of so little nobody remembers more than that it began
_NOT_A_WORD = re.compile(r"[^\w']+")


def created(draft: Draft, event: CallCreated) -> None:
    """The call exists; the line rings."""
    state = draft.state
    state.call = event.call
    state.policy_version = event.policy_version
    state.direction = event.direction
    state.caller = event.caller
    state.callee = event.callee
    state.line = Line.RINGING


def speech_started(draft: Draft, event: SpeechStarted) -> None:
    """A talkspurt was confirmed: the caller claims the floor, or goes on after a pause."""
    state = draft.state
    goes_on = state.floor.holder in (Holder.CALLER, Holder.BOTH)
    state.hearing = replace(
        state.hearing,
        speaking=True,
        onset_ms=event.onset_ms,
        turn_started_ms=state.hearing.turn_started_ms if goes_on else event.onset_ms,
        voiced_ms=event.at_ms - event.onset_ms,
        loudness_db=event.loudness_db,
        snr_db=event.snr_db,
        pitch_hz=event.pitch_hz,
    )
    move(draft, Move.CALLER_STARTS)
    if "recognizer" in state.lost_parts and not goes_on:
        new_turn(draft, "speech")  # without words, speech itself is the evidence
        draft.evidence_changed()


def speech_measured(draft: Draft, event: SpeechMeasured) -> None:
    """The talkspurt goes on."""
    hearing = draft.state.hearing
    draft.state.hearing = CallerSpeech(  # built directly: the most frequent event of a call
        hearing.speaking,
        hearing.onset_ms,
        hearing.ended_ms,
        hearing.turn_started_ms,
        event.voiced_ms,
        event.loudness_db,
        event.pitch_hz,
        event.snr_db,
        hearing.segments,
        hearing.answering,
        hearing.read_ms,
        hearing.before,
    )


def speech_ended(draft: Draft, event: SpeechEnded) -> None:
    """The talkspurt is over; the turn is not, yet."""
    draft.state.hearing = replace(
        draft.state.hearing,
        speaking=False,
        ended_ms=event.ended_ms,
        voiced_ms=event.voiced_ms,
        loudness_db=event.loudness_db,
        pitch_hz=event.pitch_hz,
    )


def words_heard(draft: Draft, event: WordsHeard) -> None:
    """Keep the segment's newest reading; new words outdate everything computed before them."""
    state = draft.state
    read_ms = _read_up_to(state, event)
    if read_ms != state.hearing.read_ms:
        state.hearing = _read(state.hearing, state.hearing.segments, read_ms)
    if not event.text.strip() and not event.final:
        return  # so far it has read, and found nothing
    draft.publish(
        Topic.WORDS, segment=event.segment, pii_text=event.text, final=event.final, started_ms=event.started_ms
    )
    if belongs_to_an_earlier_turn(draft, event):
        if event.final:
            reading = Segment(event.segment, event.text, True, event.started_ms, event.ended_ms)
            transcript.corrected(draft, reading)
        if _said_since(state, event) and not registry.of(draft.policy).listening(event.text):
            state.said_revision = state.revision  # no turn of its own, but what waits does not answer it
        return
    segments = state.hearing.segments
    before = next((segment for segment in segments if segment.id == event.segment), None)
    if before is None and (not event.text.strip() or event.segment in state.ledger.finals):
        return  # nothing was said, or its final words come once more and are history
    if before is not None and before.final and not (event.final and event.text.strip()):
        return  # a partial reading that was overtaken by the final one, or an empty one that takes nothing back
    if before is None and _over_the_agent(state, event) and registry.of(draft.policy).listening(event.text):
        return  # a listener's word that was settled as one claims nothing
    first_words = not segments
    reading = Segment(event.segment, event.text, event.final, event.started_ms, event.ended_ms)
    kept = tuple(reading if segment.id == event.segment else segment for segment in segments)
    state.hearing = _read(state.hearing, kept if before is not None else (*segments, reading), read_ms)
    if before is None or (before.text != event.text and plain(before.text) != plain(event.text)):
        if first_words and state.overlap is None:
            new_turn(draft, "words")
        draft.evidence_changed()
        if not registry.of(draft.policy).listening(event.text):
            state.said_revision = state.revision


def _over_the_agent(state: CallState, event: WordsHeard) -> bool:
    """They were said while the agent was heard, and no overlap is undecided."""
    current = state.speech.current
    if current is None or current.playing is not Playing.PLAYING or event.ended_ms <= current.started_ms:
        return False
    return current.interruptible and not state.hearing.speaking and (state.overlap is None or not state.overlap.held)


def _read_up_to(state: CallState, event: WordsHeard) -> int:
    """How far the recognizer has come; with final words of the last talkspurt it is through with it."""
    hearing = state.hearing
    through = event.final and not hearing.speaking and event.ended_ms > hearing.onset_ms
    return max(hearing.read_ms, event.ended_ms, hearing.ended_ms if through else 0)


def _read(hearing: CallerSpeech, segments: tuple[Segment, ...], read_ms: int) -> CallerSpeech:
    """The same speech, read further; built directly, because words come several times a second."""
    return CallerSpeech(
        hearing.speaking,
        hearing.onset_ms,
        hearing.ended_ms,
        hearing.turn_started_ms,
        hearing.voiced_ms,
        hearing.loudness_db,
        hearing.pitch_hz,
        hearing.snr_db,
        segments,
        hearing.answering,
        read_ms,
        hearing.before,
    )


def unread(state: CallState) -> bool:
    """True while a working recognizer has sound of the caller's last talkspurt that it has not read."""
    hearing = state.hearing
    if "recognizer" in state.lost_parts or not hearing.ended_ms:
        return False
    return hearing.read_ms < hearing.ended_ms - _READ_SLACK_MS


def belongs_to_an_earlier_turn(draft: Draft, event: WordsHeard) -> bool:
    """True for words that had ended when the agent's present or last utterance was first heard: it answered them.

    Words said over that utterance ended later, so they are of the turn that is still to be answered; so are those that
    nobody had read when it was granted.
    """
    speech = draft.state.speech
    heard = speech.current if speech.current is not None and speech.current.started_ms else speech.last
    if heard is None or not heard.started_ms or event.ended_ms > heard.started_ms:
        return False
    return not heard.unread_ms or event.ended_ms <= heard.unread_ms


def _said_since(state: CallState, event: WordsHeard) -> bool:
    """These words went on after the agent's present utterance was granted, and before it was heard."""
    current = state.speech.current
    return current is not None and event.ended_ms > current.sent_ms > 0


def plain(text: str) -> str:
    """Text without what recognizers change on a whim: case, punctuation, spacing."""
    return _NOT_A_WORD.sub(" ", text.lower()).strip()


def move(draft: Draft, what: Move) -> None:
    """Move the floor by one row of the table.

    Raises:
        IllegalEvent: the table has no such row.
    """
    state = draft.state
    after = next_holder(state.floor.holder, what)
    if after is not state.floor.holder:
        state.floor = Floor(after, state.now_ms)
        draft.publish(Topic.FLOOR, holder=str(after), move=str(what))


def new_turn(draft: Draft, why: str) -> None:
    """Raise the turn number: answers to older invitations are fenced from here on."""
    state = draft.state
    state.turn += 1
    drop_round(draft)
    draft.publish(Topic.TURN, number=state.turn, why=why)


def drop_round(draft: Draft) -> None:
    """Forget the open round: what it was about has changed. Answers that still come are judged as late ones."""
    if draft.state.round is not None:
        draft.publish(Topic.ROUND, what="dropped", reason=draft.state.round.reason)
    draft.state.round = None
    draft.disarm(ROUND_TIMER)


def forget_words(draft: Draft, from_ms: int = -1, until_ms: int = -1) -> None:
    """Take words out of the turn: those that began at or after `from_ms`, or had ended by `until_ms`.

    They were a listener's token, or a recording's, not a claim.
    """
    hearing = draft.state.hearing
    kept = tuple(
        segment
        for segment in hearing.segments
        if (from_ms < 0 or segment.started_ms < from_ms) and segment.ended_ms > until_ms
    )
    draft.state.hearing = replace(hearing, segments=kept)


def begin_hearing(draft: Draft) -> None:
    """The agent begins to answer: the caller's turn that it answers is history."""
    hearing = draft.state.hearing
    if not hearing.speaking:
        transcript.answered(draft, hearing.segments)
        draft.state.hearing = CallerSpeech(
            onset_ms=hearing.onset_ms,
            ended_ms=hearing.ended_ms,
            turn_started_ms=hearing.turn_started_ms,
            loudness_db=hearing.loudness_db,
            pitch_hz=hearing.pitch_hz,
            read_ms=hearing.read_ms,
            before=hearing.segments,
        )


def take_up(draft: Draft, cut: Utterance) -> None:
    """The caller goes on where an answer had hardly begun: what was said before it belongs to the same turn."""
    hearing = draft.state.hearing
    if hearing.before and not cut.told and cut.heard_ms < _TAKEN_UP_MS:
        known = {segment.id for segment in hearing.segments}
        earlier = tuple(segment for segment in hearing.before if segment.id not in known)
        draft.state.hearing = replace(hearing, segments=(*earlier, *hearing.segments), before=())
