"""The transcript: the conversation so far, as turns that say who spoke, what came across, when, and whether it was cut.

An agent's turn holds what the caller has heard of it, to the last word. A caller's turn holds the words as they are
read by now; a listener's "mm-hm" over the agent is none. Turns are written down when the other side goes on, so what is
being said at this moment is added where the transcript is read (`so_far`). Who may speak is not decided here.
"""

from __future__ import annotations

from ..core.dialogue import Segment, Turn
from ..core.draft import Draft
from ..core.parts import replace
from ..core.state import CallState, Playing, Utterance
from ..language.port import registry

TURNS_MAX = 40  # the newest: some five minutes of lively talk
CHARS_MAX = 8_000  # in all: what an invitation to an agent can carry without weighing on a call
CALLER = "caller"

Turns = tuple[Turn, ...]


def spoken(draft: Draft, utterance: Utterance) -> None:
    """An agent's utterance is over."""
    heard = _heard(utterance)
    if heard:
        draft.state.transcript = _bounded((*draft.state.transcript, *heard))


def heard_otherwise(draft: Draft, utterance: Utterance) -> None:
    """It is known better how much was heard of an utterance that is over."""
    turns = draft.state.transcript
    at = next((at for at, turn in enumerate(turns) if turn.utterance == utterance.id), len(turns))
    draft.state.transcript = _bounded((*turns[:at], *_heard(utterance), *turns[at + 1 :]))


def answered(draft: Draft, segments: tuple[Segment, ...]) -> None:
    """The agent begins to answer these words of the caller: they are a turn, without those that were one before."""
    if segments:
        turns, fresh = _sorted_in(draft.state.transcript, segments)
        draft.state.transcript = _bounded((*turns, *fresh))


def corrected(draft: Draft, reading: Segment) -> None:
    """Words of a turn that was answered before are read otherwise, or only now."""
    turns = draft.state.transcript
    if any(segment.id == reading.id for turn in turns for segment in turn.segments):
        anew, _ = _sorted_in(turns, (reading,))
        draft.state.transcript = _bounded(tuple([turn for turn in anew if turn.words]))
        return
    known = reading.id in draft.state.ledger.finals  # and was left out
    if reading.text.strip() and not known and not registry.of(draft.policy).listening(reading.text):
        at = len(turns)
        while at and turns[at - 1].from_ms > reading.started_ms:
            at -= 1
        draft.state.transcript = _bounded((*turns[:at], _said((reading,)), *turns[at:]))


def so_far(state: CallState) -> Turns:
    """The transcript with what is being said, or waits for an answer, at this moment."""
    current, segments = state.speech.current, state.hearing.segments
    turns, fresh = _sorted_in(state.transcript, segments) if segments else (state.transcript, ())
    if current is not None:
        fresh = tuple(sorted((*_heard(current), *fresh), key=_from_ms))
    return _bounded((*turns, *fresh)) if fresh else turns


def _from_ms(turn: Turn) -> int:
    return turn.from_ms


def _heard(utterance: Utterance) -> Turns:
    """The turn that an utterance makes by what was heard of it; none where nothing was."""
    if not utterance.started_ms:
        return ()
    text, cut = utterance.text, False
    if utterance.playing is not Playing.ENDED:
        words = text.split()
        if utterance.words < len(words):
            text = " ".join(words[: utterance.words])
            cut = utterance.playing in (Playing.CUT, Playing.FAILED)
    if not text.strip():
        return ()
    until_ms = utterance.ended_ms or utterance.started_ms + utterance.heard_ms
    return (Turn(utterance.agent, utterance.started_ms, until_ms, text, utterance.id, cut, chars=len(text)),)


def _said(segments: tuple[Segment, ...]) -> Turn:
    from_ms, until_ms = segments[0].started_ms, segments[-1].ended_ms
    return Turn(CALLER, from_ms, until_ms, segments=segments, chars=_chars(segments))


def _chars(segments: tuple[Segment, ...]) -> int:
    return sum([len(segment.text) + 1 for segment in segments])


def _sorted_in(turns: Turns, segments: tuple[Segment, ...]) -> tuple[Turns, Turns]:
    """The turns with these segments' newest readings, and the turn of those that are of none yet.

    Words that nobody had read when the answer began, and those of an answer that hardly began, are of a turn already.
    """
    at_of = {segment.id: at for at, turn in enumerate(turns) for segment in turn.segments}
    fresh = tuple([segment for segment in segments if segment.text.strip() and segment.id not in at_of])
    for segment in segments:
        at = at_of.get(segment.id)
        if at is not None and segment not in turns[at].segments:
            anew = tuple([segment if each.id == segment.id else each for each in turns[at].segments])
            turns = (*turns[:at], replace(turns[at], segments=anew, chars=_chars(anew)), *turns[at + 1 :])
    return turns, (_said(fresh),) if fresh else ()


def _bounded(turns: Turns) -> Turns:
    """The newest of them, within both limits; of one turn that is too long by itself, its newest words."""
    turns = turns[-TURNS_MAX:]
    over = sum([turn.chars for turn in turns]) - CHARS_MAX
    if over <= 0:
        return turns
    for at, turn in enumerate(turns[:-1]):
        over -= turn.chars
        if over <= 0:
            return turns[at + 1 :]
    return (_shortened(turns[-1]),)


def _shortened(turn: Turn) -> Turn:
    if not turn.segments:
        return replace(turn, text=turn.text[:CHARS_MAX], chars=CHARS_MAX)
    kept: list[Segment] = []
    left = CHARS_MAX
    for segment in reversed(turn.segments):
        left -= len(segment.text) + 1
        if left < 0:
            break
        kept.append(segment)
    last = turn.segments[-1]
    segments = tuple(reversed(kept)) or (replace(last, text=last.text[-CHARS_MAX:]),)
    return replace(turn, segments=segments, from_ms=segments[0].started_ms, chars=_chars(segments))
