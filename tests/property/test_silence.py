"""Silence: whatever noise there is, the ladder's deadlines stay where they were; words always end it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from offhook.policies.core import events as ev
from offhook.policies.core.commands import HangUp
from offhook.policies.core.proposals import Asks, Purpose
from scene import Scene, of

NOISES = st.lists(
    st.tuples(st.integers(min_value=0, max_value=4_000), st.integers(min_value=70, max_value=450)), max_size=12
)


def quiet_call() -> Scene:
    found = Scene().answered("booking")
    utterance = found.agent_says("What brings you to us?", purpose=Purpose.QUESTION, asks=Asks.OPEN)
    found.passes(1_500)
    found.happens(ev.PlaybackEnded, utterance=utterance, confirmed=True)
    return found


@settings(max_examples=60, deadline=None)
@given(NOISES)
def test_noise_moves_no_deadline(noises: list[tuple[int, int]]) -> None:
    found = quiet_call()
    before = found.state.silence
    for pause_ms, lasts_ms in noises:
        found.passes(pause_ms)
        if found.state.silence.rung != before.rung or found.state.speech.current is not None:
            return  # the ladder was climbed, on time as below
        found.speech_starts()
        found.passes(max(0, lasts_ms - 60))
        found.speech_ends()
        assert found.state.silence.since_ms == before.since_ms
        if found.state.silence.rung == before.rung:
            assert found.state.silence.deadline_ms == before.deadline_ms
    found.passes(max(0, before.deadline_ms - found.now_ms) + 4_000)
    assert found.state.silence.rung > before.rung, "however much noise there was, the rung came"


@settings(max_examples=40, deadline=None)
@given(NOISES)
def test_a_call_with_nothing_but_noise_ends(noises: list[tuple[int, int]]) -> None:
    found = quiet_call()
    left = list(noises)
    for _ in range(400):
        current = found.state.speech.current
        if of(found.commands, HangUp):
            break
        if current is not None:
            found.happens(ev.PlaybackStarted, utterance=current.id)
            found.passes(1_000)
            found.happens(ev.PlaybackEnded, utterance=current.id, confirmed=True)
        elif left:
            pause_ms, lasts_ms = left.pop()
            found.passes(pause_ms)
            if found.state.speech.current is None:
                found.speech_starts()
                found.passes(max(0, lasts_ms - 60))
                found.speech_ends()
        else:
            found.passes(1_000)
    assert found.state.outcome == "silence" and of(found.commands, HangUp)
    assert found.now_ms < 120_000


@settings(max_examples=40, deadline=None)
@given(st.integers(min_value=0, max_value=2_000), NOISES)
def test_words_end_a_silence_at_any_time(pause_ms: int, noises: list[tuple[int, int]]) -> None:
    found = quiet_call()
    found.passes(pause_ms)
    for gap_ms, lasts_ms in noises[:2]:
        found.passes(gap_ms % 300)
        found.speech_starts()
        found.passes(lasts_ms)
        found.speech_ends()
    if found.state.speech.current is not None:
        return
    found.speech_starts()
    found.words("I am here")
    assert found.state.silence.since_ms == 0 and "silence" not in found.timers
