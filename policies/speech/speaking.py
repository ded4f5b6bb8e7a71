"""What the agent says: an utterance's life from the grant to the last word heard.

At most one utterance lives at a time. `hold` silences it at once and keeps the rest, `resume` goes on from the held
word, `cut` gives the rest up; what the caller really heard comes back from the voice as events. Events of an utterance
that is no longer known change nothing.
"""

from __future__ import annotations

from ..core.commands import CutSpeech, HoldSpeech, ResumeSpeech, Say
from ..core.draft import Draft, FollowUp
from ..core.events import (
    LineLost,
    LineResumed,
    OwnerChanged,
    PlaybackEnded,
    PlaybackFailed,
    PlaybackReached,
    PlaybackStarted,
    PlaybackStopped,
)
from ..core.parts import replace
from ..core.proposals import ACTS, CORE, Grant, Purpose
from ..core.state import AgentSpeech, Line, Playing, Utterance
from ..core.topics import Topic
from ..evidence import concerns, heard, owed
from . import ending, transcript, turns
from .floor import Move

_AUDIBLE = (Playing.PLAYING,)


def say(draft: Draft, grant: Grant) -> Utterance:
    """Speak a granted proposal's text. The gate has made sure that nothing else is being said."""
    state = draft.state
    proposal = grant.proposal
    number = state.counters[0] + 1
    state.counters = (number, *state.counters[1:])
    utterance = Utterance(
        id=f"u{number}",
        text=proposal.text,
        purpose=proposal.purpose,
        asks=proposal.asks,
        interruptible=proposal.interruptible,
        agent=proposal.agent,
        grant=grant.id,
        topic=proposal.topic,
        slot=proposal.slot,
        sent_ms=state.now_ms,
        terms=heard.terms_of(draft, proposal),
        action=proposal.action,
        about=proposal.about,
        unread_ms=max(1, state.hearing.read_ms) if turns.unread(state) else 0,
    )
    state.speech = replace(state.speech, current=utterance)
    draft.disarm("silence")
    draft.command(Say(utterance.id, utterance.text, utterance.purpose, utterance.interruptible, grant.id))
    _tell(draft, utterance, "sent")
    return utterance


def hold(draft: Draft) -> None:
    """Stop being heard at once, keep the rest."""
    current = draft.state.speech.current
    if current is None or current.playing is Playing.HELD:
        return
    if current.playing in _AUDIBLE:
        turns.move(draft, Move.AGENT_STOPS)
    _put(draft, replace(current, playing=Playing.HELD))
    draft.command(HoldSpeech(current.id))


def resume(draft: Draft) -> None:
    """Go on from the held word."""
    current = draft.state.speech.current
    if current is None or current.playing is not Playing.HELD or draft.state.line is not Line.OPEN:
        return
    heard_before = current.started_ms > 0
    if heard_before:
        turns.move(draft, Move.AGENT_STARTS)
    _put(draft, replace(current, playing=Playing.PLAYING if heard_before else Playing.SENT))
    draft.command(ResumeSpeech(current.id))


def cut(draft: Draft, why: str) -> None:
    """Give the rest up. What was heard stays known; a goodbye that was cut no longer ends the call."""
    current = draft.state.speech.current
    if current is None:
        return
    draft.command(CutSpeech(current.id))
    if draft.state.line is Line.OPEN:
        draft.state.outcome = ""
    _finish(draft, current, Playing.CUT, current.heard_text, why)


# --- what the voice reports -----------------------------------------------------------------------------------------


def playback_started(draft: Draft, event: PlaybackStarted) -> None:
    """The caller begins to hear it; the turn that it answers is history."""
    current = _current(draft, event.utterance)
    if current is None or current.playing is not Playing.SENT:
        return
    turns.begin_hearing(draft)
    _put(draft, replace(current, playing=Playing.PLAYING, started_ms=max(1, event.at_ms)))
    turns.move(draft, Move.AGENT_STARTS)


def playback_reached(draft: Draft, event: PlaybackReached) -> None:
    """The heard position moved on."""
    current = _current(draft, event.utterance)
    if current is not None:
        heard_ms = max(current.heard_ms, event.heard_ms)
        words = max(current.words, event.words)
        total_ms = event.total_ms or current.total_ms
        reached = replace(current, heard_ms=heard_ms, total_ms=total_ms, words=words)
        _put(draft, heard.dated(reached, event.at_ms, heard.REPORT_MS if event.confirmed else heard.CLOCK_MS))


def playback_stopped(draft: Draft, event: PlaybackStopped) -> None:
    """What was really heard of a held or cut utterance."""
    state = draft.state
    current = _current(draft, event.utterance)
    if current is not None:
        _put(draft, _stopped_at(current, event))
        _tell(draft, current, "held", pii_heard=event.heard_text, heard_ms=event.heard_ms)
    elif state.speech.last is not None and state.speech.last.id == event.utterance:
        last = _noted(draft, _stopped_at(state.speech.last, event))
        transcript.heard_otherwise(draft, last)
        asked = state.speech.question
        question = last if asked is not None and asked.id == last.id else asked
        state.speech = AgentSpeech(state.speech.current, last, question)
        _tell(draft, last, "cut", pii_heard=event.heard_text, heard_ms=event.heard_ms)


def playback_ended(draft: Draft, event: PlaybackEnded) -> None:
    """All of it was heard."""
    current = _current(draft, event.utterance)
    if current is None:
        return
    if current.playing is Playing.SENT:  # too short for a report of its start
        turns.begin_hearing(draft)
    started_ms = current.started_ms or event.at_ms
    late_ms = heard.REPORT_MS if event.confirmed else heard.CLOCK_MS
    ended = replace(
        current,
        heard_ms=current.total_ms or current.heard_ms,
        words=len(current.text.split()),
        started_ms=started_ms,
        told_ms=current.told_ms or max(started_ms, event.at_ms - late_ms),
    )
    _finish(draft, ended, Playing.ENDED, current.text, "confirmed" if event.confirmed else "by the clock")


def playback_failed(draft: Draft, event: PlaybackFailed) -> None:
    """It cannot be said. The call goes on with what it has."""
    current = _current(draft, event.utterance)
    if current is not None:
        words = max(current.words, heard.count_of(current.text, event.heard_text))
        _finish(draft, replace(current, words=words), Playing.FAILED, event.heard_text, event.reason)


# --- the line and the owner -----------------------------------------------------------------------------------------


def line_lost(draft: Draft, _event: LineLost) -> None:
    """Nobody hears anything now; keep the rest."""
    hold(draft)


def line_resumed(draft: Draft, _event: LineResumed) -> None:
    """The caller is back: go on where the line broke, unless an overlap is still being decided."""
    draft.state.line = Line.OPEN
    if draft.state.overlap is None:
        resume(draft)


def owner_changed(draft: Draft, event: OwnerChanged) -> None:
    """Another process took the call over; what was being said goes on from the heard position."""
    draft.state.epoch = event.epoch
    draft.publish(Topic.OWNER, epoch=event.epoch)
    current = draft.state.speech.current
    if current is not None and current.playing in (Playing.SENT, Playing.PLAYING):
        draft.command(ResumeSpeech(current.id))


def release(draft: Draft, grant: str) -> None:
    """What was granted has been heard or given up. A tool or a transfer stays under way until its own end."""
    authority = draft.state.authority
    kept = tuple(g for g in authority.grants if g.id != grant or g.proposal.kind in ACTS)
    if len(kept) != len(authority.grants):
        draft.state.authority = replace(authority, grants=kept)


# --- parts ----------------------------------------------------------------------------------------------------------


def _current(draft: Draft, utterance: str) -> Utterance | None:
    current = draft.state.speech.current
    return current if current is not None and current.id == utterance else None


def _put(draft: Draft, utterance: Utterance) -> None:
    draft.state.speech = replace(draft.state.speech, current=utterance)


def _finish(draft: Draft, utterance: Utterance, playing: Playing, heard_text: str, why: str) -> None:
    state = draft.state
    if utterance.playing in _AUDIBLE:
        turns.move(draft, Move.AGENT_STOPS)
    done = replace(utterance, playing=playing, ended_ms=state.now_ms, heard_text=heard_text)
    done = _noted(draft, done)
    transcript.spoken(draft, done)
    if _lends_patience(done):
        state.speech = AgentSpeech(None, done, state.speech.question)
    else:
        state.speech = AgentSpeech(None, done, done)
        state.hearing = replace(state.hearing, answering=utterance.asks)
    release(draft, utterance.grant)
    _tell(draft, done, str(playing), why=why, pii_heard=heard_text)
    if state.outcome and playing is not Playing.CUT:
        ending.hang_up(draft)
    elif playing is not Playing.CUT:
        draft.then(FollowUp.FLOOR_FREE)
        draft.then(FollowUp.SETTLE_UP)


def _lends_patience(utterance: Utterance) -> bool:
    """The core's own "take your time": the caller still answers what was asked before."""
    return utterance.agent == CORE and utterance.purpose is Purpose.REASSURANCE and "?" not in utterance.text


def _stopped_at(utterance: Utterance, event: PlaybackStopped) -> Utterance:
    words = heard.count_of(utterance.text, event.heard_text)
    stopped = replace(utterance, heard_ms=event.heard_ms, heard_text=event.heard_text, words=words)
    return heard.dated(stopped, event.at_ms, heard.REPORT_MS)


def _noted(draft: Draft, utterance: Utterance) -> Utterance:
    """What it has told is told: to the limits, to a concern that it answers, to whom it was owed."""
    noted = heard.note(draft, utterance)
    if noted.told and not utterance.told:
        if noted.topic:
            concerns.answered(draft, noted.topic)
        owed.heard(draft, noted)
    return noted


def _tell(draft: Draft, utterance: Utterance, what: str, **more: str | int) -> None:
    draft.publish(
        Topic.SPEECH, utterance=utterance.id, what=what, purpose=str(utterance.purpose), pii_text=utterance.text, **more
    )
