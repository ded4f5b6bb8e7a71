"""Consent: the caller's answer to a yes-or-no question, taken as a whole when the turn is over, and what it agrees to.

An answer counts for the question that it came after, as far as that question had been heard. A clean yes to what was
read back agrees to those very values; anything else voids what was agreed before. Words that come late are read into
the answer they belong to: they may spoil it, and never make one. What is clean is the language's matter, what a consent
unlocks the gate's (`agreement.py`). Other readers' words about an answer (agents with a `read`) are kept beside it.
"""

from __future__ import annotations

from ..core.dialogue import Answer, Segment
from ..core.draft import Draft, FollowUp
from ..core.events import WordsHeard
from ..core.parts import replace
from ..core.proposals import Asks, Polarity, Purpose, Reading
from ..core.state import CallState, Sign, Signal, Utterance
from ..core.topics import Topic
from ..evidence import cues, evidence, heard, owed, slots
from ..language.port import registry
from ..language.port.port import Assent
from ..speech import turns

LATE_MS = 5_000  # words that belong to an answer come within this; later ones are a recognizer's confusion


def conclude(draft: Draft) -> None:
    """The caller's turn is over: what it answers to the question before it."""
    state = draft.state
    question = cues.utterance_asked(state)
    if question is None or question.asks is not Asks.YES_NO or question.started_ms == 0:
        return
    segments = tuple(s for s in state.hearing.segments if s.text.strip() and s.started_ms >= question.told_ms)
    pressed = _pressed(state, question)
    if not segments and pressed is None:
        return
    last = state.speech.last
    if (
        last is not None
        and last.id != question.id
        and pressed is None
        and registry.of(draft.policy).listening(_words(segments))
    ):
        return  # "okay" to "take your time" says that they will, and nothing of what was asked before
    known = heard.terms(question)
    _settle(
        draft,
        Answer(
            utterance=question.id,
            says=Polarity.NONE,
            why="",
            at_ms=state.now_ms,
            revision=state.revision,
            turn=state.turn,
            terms=known,
            segments=segments,
            confirms=question.purpose is Purpose.CONFIRMATION and heard.whole(question) and known == question.terms,
            action=question.action,
        ),
        _beside_words(draft, question, segments) if segments else pressed,
    )


def awaits_final_words(state: CallState) -> bool:
    """Something was read back, and the answer to it may still be read otherwise: so much rests on it that it waits."""
    last, segments = state.speech.question, state.hearing.segments
    read_back = last is not None and last.purpose is Purpose.CONFIRMATION and last.asks is Asks.YES_NO
    return read_back and bool(segments) and not segments[-1].final and "recognizer" not in state.lost_parts


def words_heard(draft: Draft, event: WordsHeard) -> None:
    """A later reading of an answer's words, or words that belong to it and came after the agent had gone on."""
    state = draft.state
    answer = state.answer
    if answer is None or not event.text.strip() or event.at_ms - answer.at_ms > LATE_MS:
        return
    reading = Segment(event.segment, event.text, event.final, event.started_ms, event.ended_ms)
    before = next((segment for segment in answer.segments if segment.id == event.segment), None)
    if before is None and not (turns.belongs_to_an_earlier_turn(draft, event) and _follows(answer, event)):
        return
    if before is not None and (before.final or before == reading):
        return
    kept = tuple(reading if segment is before else segment for segment in answer.segments)
    segments = kept if before is not None else (*answer.segments, reading)
    said = registry.of(draft.policy).assent(_words(segments), [(term.name, term.value) for term in answer.terms])
    if said.says is answer.says:
        revision = answer.revision if before is not None and _same(before, reading) else state.revision
        whole = replace(answer, segments=segments, revision=revision)
        _keep(draft, whole)
        if whole.final and not answer.final and state.consent is whole:
            _borne_out(draft, whole)
    elif said.says is not Polarity.YES:
        _settle(draft, replace(answer, segments=segments, revision=state.revision), said)


def read_by(draft: Draft, reader: str, turn: int, reading: Reading) -> None:
    """Another reader's word about the answer of this turn."""
    answer = draft.state.answer
    if answer is None or answer.turn != turn or reader not in draft.policy.gate.readers:
        return
    others = tuple(pair for pair in answer.readings if pair[0] != reader)
    _keep(draft, replace(answer, readings=(*others, (reader, reading))))
    draft.publish(Topic.READING, reader=reader, says=str(reading.says), utterance=answer.utterance, pii_why=reading.why)


# --- parts ----------------------------------------------------------------------------------------------------------


def _settle(draft: Draft, answer: Answer, said: Assent | None = None) -> None:
    """Take an answer as it now reads, with all that follows."""
    terms = [(term.name, term.value) for term in answer.terms]
    found = said or registry.of(draft.policy).assent(_words(answer.segments), terms)
    answer = replace(answer, says=found.says, why=found.why)
    state = draft.state
    state.answer = answer
    if answer.confirms:
        clean = answer.says is Polarity.YES
        state.consent = answer if clean else None
        for slot in state.slots:
            if any(slot.name == name for name, _ in terms):
                read_back = any(
                    slot.name == name and registry.of(draft.policy).same(slot.value, value) for name, value in terms
                )
                slots.agree(draft, slot, answer.utterance if clean and read_back else "")
    draft.publish(
        Topic.ANSWER,
        says=str(answer.says),
        why=answer.why,
        utterance=answer.utterance,
        confirms=answer.confirms,
        pii_text=_words(answer.segments),
    )


def _keep(draft: Draft, answer: Answer) -> None:
    """The same answer with more known about it; the consent that it gave is the same one."""
    state = draft.state
    given = state.consent
    state.answer = answer
    if given is not None and given.utterance == answer.utterance and given.at_ms == answer.at_ms:
        state.consent = answer


def _borne_out(draft: Draft, answer: Answer) -> None:
    """The yes is final now: what was denied because it was not is asked for again."""
    if draft.state.round is None and draft.state.speech.current is None:
        owed.owe(draft, "reply", answer.utterance)
        draft.then(FollowUp.SETTLE_UP)


def _keys_since(state: CallState, question: Utterance) -> list[Signal]:
    """The keys that were pressed since the question, oldest first."""
    pressed = []
    for signal in evidence.standing(state.ledger):
        if signal.at_ms < question.started_ms:
            break
        if signal.source == "digits" and signal.text != "#":
            pressed.append(signal)
    return pressed[::-1]


def _pressed(state: CallState, question: Utterance) -> Assent | None:
    """The one key that was pressed since the question, where callers know it for yes or no; several are a number."""
    signs = [signal.sign for signal in _keys_since(state, question)]
    if signs == [Sign.CONFIRMATION]:
        return Assent(Polarity.YES)
    return Assent(Polarity.NO, "a key") if signs == [Sign.DENIAL] else None


def _beside_words(draft: Draft, question: Utterance, segments: tuple[Segment, ...]) -> Assent | None:
    """What keys leave over beside a spoken yes: a "no", or a number that was not read back; None = nothing."""
    keys = _keys_since(draft.state, question)
    language, terms = registry.of(draft.policy), heard.terms(question)
    typed = "".join(signal.text for signal in keys)
    if not keys or [signal.sign for signal in keys] == [Sign.CONFIRMATION]:
        return None
    if any(language.same(term.value, typed) for term in terms):
        return None
    spoken = language.assent(_words(segments), [(term.name, term.value) for term in terms])
    return Assent(Polarity.UNCLEAR, "keys beside it") if spoken.says is Polarity.YES else spoken


def _follows(answer: Answer, event: WordsHeard) -> bool:
    """Words spoken right around the answer's own."""
    if not answer.segments:
        return False
    return event.ended_ms > answer.segments[0].started_ms and event.started_ms <= answer.at_ms


def _same(before: Segment, reading: Segment) -> bool:
    return turns.plain(before.text) == turns.plain(reading.text)


def _words(segments: tuple[Segment, ...]) -> str:
    """The words of a turn; a pause between two pieces is a pause between clauses."""
    return ", ".join(segment.text for segment in sorted(segments, key=lambda s: (s.started_ms, s.id)))
