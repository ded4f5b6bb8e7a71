"""The transcript: who spoke, what came across, when, and whether it was cut; bounded, and as it is after a takeover."""

from __future__ import annotations

from offhook.policies.conversation.view import view_of
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.dialogue import Segment
from offhook.policies.core.draft import Draft
from offhook.policies.core.events import WordsHeard
from offhook.policies.core.parts import replace
from offhook.policies.core.proposals import Asks, Purpose
from offhook.policies.core.state import CallState, Playing, Utterance
from offhook.policies.core.view import ViewTurn
from offhook.policies.speech import transcript
from scene import Scene, policy


def of(scene: Scene) -> list[ViewTurn]:
    return view_of(scene.state, scene.policy)["transcript"]


def words(scene: Scene) -> list[tuple[str, str, bool]]:
    return [(turn["speaker"], turn["pii_text"], turn["cut"]) for turn in of(scene)]


def caller_says(scene: Scene, text: str) -> None:
    scene.speech_starts()
    scene.speech_goes_on(800)
    scene.speech_ends()
    scene.words(text)
    while scene.state.round is None:
        scene.passes(50)


def test_both_sides_are_in_it_with_what_was_heard_and_when() -> None:
    scene = Scene().answered("booking")
    greeting = scene.agent_says("Good day, what can I do for you?", purpose=Purpose.GREETING)
    assert of(scene) == [], "nothing of it is known to be heard"
    scene.passes(600)
    scene.happens(ev.PlaybackReached, utterance=greeting, heard_ms=600, total_ms=1_200, confirmed=True, words=2)
    assert words(scene) == [("booking", "Good day,", False)]
    scene.passes(600)
    scene.happens(ev.PlaybackEnded, utterance=greeting, confirmed=True)
    began_ms = scene.now_ms
    caller_says(scene, "I want to book a table")
    said = of(scene)
    assert words(scene)[1] == ("caller", "I want to book a table", False), "before it is answered"
    assert (said[1]["from_ms"], said[0]["utterance"]) == (began_ms, greeting)
    scene.agent_says("Certainly.")
    assert words(scene) == [
        ("booking", "Good day, what can I do for you?", False),
        ("caller", "I want to book a table", False),
    ]


def test_of_an_utterance_that_was_cut_it_holds_what_was_heard_to_the_last_word() -> None:
    scene = Scene().answered("booking")
    offer = scene.agent_says("We are open from eight to six on every day of the week")
    scene.passes(900)
    scene.speech_starts()
    scene.happens(ev.PlaybackStopped, utterance=offer, heard_ms=900, heard_text="We are open from ei")
    scene.words("stop it what does it cost", final=False)
    scene.speech_goes_on(800)
    scene.speech_ends()
    scene.words("stop it what does it cost", segment=1)
    assert words(scene) == [("booking", "We are open from", True), ("caller", "stop it what does it cost", False)]
    scene.happens(ev.PlaybackStopped, utterance=offer, heard_ms=700, heard_text="We are open")
    assert words(scene)[0] == ("booking", "We are open", True), "the carrier knows better, later"


def test_a_final_reading_that_comes_after_the_answer_corrects_the_turn() -> None:
    scene = Scene().answered("booking")
    scene.passes(120)
    scene.speech_starts()
    scene.words("I want a tabel", final=False, segment=1)
    scene.speech_goes_on(800)
    scene.speech_ends()
    while scene.state.round is None:
        scene.passes(50)
    ended_ms = scene.state.hearing.ended_ms
    scene.agent_says("Certainly.")
    late = {"final": True, "started_ms": ended_ms - 700, "ended_ms": ended_ms}
    scene.happens(WordsHeard, segment=1, text="I want a table", **late)
    assert words(scene) == [("caller", "I want a table", False)]
    before = {**late, "started_ms": 10, "ended_ms": 50}
    scene.happens(WordsHeard, segment=4, text="hello there", **before)
    scene.happens(WordsHeard, segment=5, text="mm-hm", **before)
    assert words(scene) == [("caller", "hello there", False), ("caller", "I want a table", False)]
    scene.happens(WordsHeard, segment=2, text="for two", **late)
    assert words(scene) == [
        ("caller", "hello there", False),
        ("caller", "I want a table", False),
        ("caller", "for two", False),
    ]


def test_it_is_bounded_and_a_snapshot_has_it() -> None:
    state = CallState()
    draft = Draft(state, policy())
    for number in range(100):
        at_ms = 1 + number * 1_000
        spoken = Utterance(f"u{number}", "word " * 9, Purpose.ANSWER, Asks.NOTHING, True, "booking", "g1")
        spoken.playing, spoken.started_ms, spoken.ended_ms = Playing.ENDED, at_ms, at_ms + 500
        transcript.spoken(draft, spoken)
        transcript.answered(draft, (Segment(number, "all right then", True, at_ms + 600, at_ms + 900),))
    found = draft.state.transcript
    assert len(found) == transcript.TURNS_MAX and found[-1].segments[0].id == 99
    assert all(len(turn.words) <= turn.chars <= len(turn.words) + len(turn.segments) for turn in found)
    assert decode(encode(draft.state)).transcript == found
    for number in range(100, 110):
        long = Segment(number, "x" * 3_000, True, number * 1_000, number * 1_000 + 900)
        transcript.answered(draft, (long,))
    assert len(draft.state.transcript) == 2
    many = tuple(Segment(number, "y" * 3_000, True, number * 1_000, number * 1_000 + 900) for number in range(200, 205))
    transcript.answered(draft, many)
    (left,) = draft.state.transcript
    assert [segment.id for segment in left.segments] == [203, 204]
    assert sum(len(turn.words) for turn in draft.state.transcript) <= transcript.CHARS_MAX
    longest = Segment(300, "z" * 9_000, True, 300_000, 300_900)
    transcript.answered(draft, (longest,))
    transcript.corrected(draft, replace(longest, text="z" * 8_500))
    (left,) = draft.state.transcript
    assert len(left.words) <= transcript.CHARS_MAX and left.chars >= len(left.words)
