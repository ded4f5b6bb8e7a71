"""Turns: which words belong to the turn that is still to be answered."""

from __future__ import annotations

import pytest
from offhook.policies.core import events as ev
from offhook.policies.core.commands import Publish
from offhook.policies.core.draft import Draft
from offhook.policies.core.proposals import Asks, Purpose
from offhook.policies.core.state import AgentSpeech, CallState, Playing, Utterance
from offhook.policies.speech.turns import belongs_to_an_earlier_turn
from scene import Scene, of, policy


def utterance(number: int, started_ms: int) -> Utterance:
    return Utterance(f"u{number}", "Hello.", Purpose.ANSWER, Asks.NOTHING, True, "a", "g1", started_ms=started_ms)


@pytest.mark.parametrize(
    ("current", "last", "ended_ms", "earlier"),
    [
        (None, None, 500, False),
        (utterance(1, 1_000), None, 900, True),
        (utterance(1, 1_000), None, 1_100, False),  # said over it
        (None, utterance(1, 1_000), 900, True),  # it has answered them
        (None, utterance(1, 1_000), 1_100, False),
        (utterance(2, 0), utterance(1, 1_000), 900, True),  # the present one is not heard yet
        (utterance(2, 0), utterance(1, 1_000), 2_500, False),  # late words, and no answer to them was heard
        (utterance(2, 3_000), utterance(1, 1_000), 2_500, True),
        (None, utterance(1, 0), 900, False),  # it failed before anything was heard: nothing is answered
    ],
)
def test_words_are_of_an_earlier_turn_when_an_answer_was_heard_after_them(
    current: Utterance | None, last: Utterance | None, ended_ms: int, earlier: bool
) -> None:
    state = CallState(speech=AgentSpeech(current, last))
    words = ev.WordsHeard(4_000, 1, "hello", True, max(0, ended_ms - 400), ended_ms)
    assert belongs_to_an_earlier_turn(Draft(state, policy()), words) is earlier


def test_a_late_final_reading_does_not_open_an_answered_turn_again() -> None:
    scene = Scene().answered("booking")
    scene.passes(200)
    scene.speech_starts()
    scene.passes(400)
    scene.speech_ends()
    spoken = scene.state.hearing
    scene.words("hello there", final=False)
    scene.passes(1_500)
    assert scene.state.speech.current is not None, "no agent answered: the fallback line is being said"
    said = scene.state.speech.current.id
    scene.happens(ev.PlaybackStarted, utterance=said)
    scene.passes(1_000)
    scene.happens(ev.PlaybackEnded, utterance=said, confirmed=True)
    turn = scene.state.turn
    scene.happens(
        ev.WordsHeard,
        segment=1,
        text="hello there",
        final=True,
        started_ms=spoken.onset_ms,
        ended_ms=spoken.ended_ms,
    )
    assert scene.state.turn == turn and scene.state.hearing.words == ""
    assert not scene.state.end_of_turn.deadline_ms
    assert scene.state.speech.last is not None and scene.state.speech.last.playing is Playing.ENDED


def final(scene: Scene, text: str, segment: int = 1, late_ms: int = 0) -> None:
    hearing = scene.state.hearing
    scene.passes(late_ms)
    moments = {"started_ms": hearing.onset_ms, "ended_ms": max(hearing.ended_ms, hearing.onset_ms)}
    scene.happens(ev.WordsHeard, segment=segment, text=text, final=True, **moments)


@pytest.mark.parametrize("again", ["", "   ", "i want to cancel", "I want to cancel."])
@pytest.mark.parametrize("late_ms", [0, 50, 300])
def test_final_words_stand_once_though_an_empty_or_a_repeated_final_follows(again: str, late_ms: int) -> None:
    scene = Scene().answered("booking")
    scene.passes(200)
    scene.speech_starts()
    scene.passes(900)
    scene.speech_ends()
    final(scene, "I want to cancel")
    before = scene.state
    final(scene, again, late_ms=late_ms)
    final(scene, again)
    state = scene.state
    assert state.hearing.words.strip(".").lower() == "i want to cancel"
    assert (state.ledger.signals, state.turn, state.evidence_revision) == (
        before.ledger.signals,
        before.turn,
        before.evidence_revision,
    )


def test_a_final_that_is_empty_takes_partial_words_back() -> None:
    scene = Scene().answered("booking")
    scene.passes(200)
    scene.speech_starts()
    scene.words("thank you", final=False, segment=1)
    final(scene, "")
    assert scene.state.hearing.words == ""


def test_a_final_that_differs_corrects_the_one_before() -> None:
    scene = Scene().answered("booking")
    scene.passes(200)
    scene.speech_starts()
    final(scene, "sign me up")
    final(scene, "sign my cup")
    assert scene.state.hearing.words == "sign my cup"


def test_words_of_a_listener_that_come_once_more_are_history() -> None:
    """A token over the agent's speech was taken out of the turn: repeated, it does not come back as something new."""
    scene = Scene().answered("booking")
    scene.agent_says("A rather long sentence that goes on for quite a while.")
    scene.passes(1_000)
    scene.speech_starts()
    scene.passes(200)
    scene.speech_ends()
    scene.words("mm-hm", segment=1)
    scene.passes(1_000)
    turn, revision = scene.state.turn, scene.state.evidence_revision
    assert scene.state.hearing.segments == ()
    scene.words("Mm-hm.", segment=1)
    assert (scene.state.hearing.segments, scene.state.turn, scene.state.evidence_revision) == ((), turn, revision)


@pytest.mark.parametrize("segment", [1, 2])
def test_how_far_the_recognizer_has_read_is_no_word_and_takes_none_back(segment: int) -> None:
    scene = Scene().answered("booking")
    scene.passes(200)
    scene.speech_starts()
    scene.words("it is too expensive", final=False, segment=1)
    before = scene.state
    told = len(scene.commands)
    scene.words("", final=False, segment=segment)
    state = scene.state
    assert (state.hearing, state.ledger, state.turn, state.evidence_revision) == (
        before.hearing,
        before.ledger,
        before.turn,
        before.evidence_revision,
    )
    assert not of(scene.commands[told:], Publish), "there is nothing to tell agents or a console"
    scene.words("it is too expensive for us", segment=1)
    assert scene.state.hearing.words == "it is too expensive for us"
