"""Turns: which words belong to the turn that is still to be answered."""

from __future__ import annotations

import pytest
from offhook.policies import events as ev
from offhook.policies.draft import Draft
from offhook.policies.proposals import Asks, Purpose
from offhook.policies.state import AgentSpeech, CallState, Playing, Utterance
from offhook.policies.turns import belongs_to_an_earlier_turn
from scene import Scene, policy


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
