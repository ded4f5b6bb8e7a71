"""The voice on virtual time, against a carrier that knows what its caller really heard."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from carrier import Carrier
from offhook.actors.audio.sound import Sound
from offhook.actors.engines.sources import ToneSource, plan
from offhook.actors.engines.synthesis import NoSynthesizer, Synthesizer
from offhook.actors.voice.voice import BATCH_MS, MARK_GRACE_MS, Voice
from offhook.policies.core import commands as cmd
from offhook.policies.core.events import (
    Event,
    PlaybackEnded,
    PlaybackFailed,
    PlaybackReached,
    PlaybackStarted,
    PlaybackStopped,
)
from offhook.policies.core.policy import Voice as VoicePolicy
from offhook.policies.core.proposals import Purpose
from virtual_time import VirtualTime

TEXT = "The price is nineteen dollars a month, and you can cancel whenever you like. Shall I set that up for you today?"
WORDS = plan(TEXT)
TOTAL_MS = WORDS[-1][2]


class SlowEngine:
    """A synthesizer that the test feeds."""

    def __init__(self) -> None:
        self.sounds: dict[str, Sound] = {}
        self.cancelled: list[str] = []

    def speak(self, utterance: str, sound: Sound) -> None:
        self.sounds[utterance] = sound

    def cancel(self, utterance: str) -> None:
        self.cancelled.append(utterance)

    def close(self) -> None: ...


@dataclass
class Stage:
    """A voice on a line."""

    time: VirtualTime
    carrier: Carrier
    voice: Voice
    events: list[Event] = field(default_factory=list)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if type(event) is kind]

    @property
    def stopped(self) -> PlaybackStopped:
        event = self.of(PlaybackStopped)[-1]
        assert isinstance(event, PlaybackStopped)
        return event


def stage(synthesizer: Synthesizer | None = None, **carrier: float) -> Stage:
    time = VirtualTime()
    line = Carrier(time, **carrier)
    events: list[Event] = []
    voice = Voice(line, synthesizer or ToneSource(), events.append, time, time, VoicePolicy())
    line.on_mark = voice.marked
    return Stage(time, line, voice, events)


def words_in(text: str) -> int:
    return len(text.split())


def really_heard(carrier: Carrier) -> int:
    """How many words of TEXT the caller heard to their end."""
    return sum(end_ms <= carrier.heard_ms() for _, _, end_ms in WORDS)


LINES = [
    pytest.param({}, id="ideal"),
    pytest.param({"out_ms": 40, "back_ms": 60}, id="network"),
    pytest.param({"out_ms": 30, "buffer_ms": 120, "back_ms": 30}, id="jitter-buffer"),
    pytest.param({"out_ms": 150, "buffer_ms": 100, "back_ms": 150}, id="far-away"),
]


@pytest.mark.parametrize("line", LINES)
def test_an_utterance_is_played_whole_without_a_gap_a_little_ahead(line: dict[str, float]) -> None:
    on = stage(**line)
    on.voice.say("u1", TEXT)
    on.time.run_for(TOTAL_MS + 2_000)
    assert on.carrier.heard_ms() == TOTAL_MS
    assert on.carrier.gaps == []
    assert on.carrier.most_buffered_ms <= VoicePolicy().ahead_ms + line.get("buffer_ms", 0)
    assert on.of(PlaybackStarted) == [PlaybackStarted(0, "u1")]
    (ended,) = on.of(PlaybackEnded)
    assert ended == PlaybackEnded(ended.at_ms, "u1", True)
    way_ms = sum(line.values())
    assert ended.at_ms == TOTAL_MS + way_ms
    assert on.time.idle


def test_it_is_sent_in_few_batches_and_marked_as_the_policy_says() -> None:
    on = stage()
    on.voice.say("u1", TEXT)
    on.time.run_for(TOTAL_MS + 2_000)
    plays = [ms for _, what, ms in on.carrier.sent if what == "play"]
    assert len(plays) == -(-TOTAL_MS // BATCH_MS)
    reached = [event.heard_ms for event in on.of(PlaybackReached) if isinstance(event, PlaybackReached)]
    assert reached[:3] == [200, 800, 1_400]  # the first batch, then the first one 500 ms after a mark
    assert reached[-1] == TOTAL_MS
    assert all(event.confirmed and event.total_ms == TOTAL_MS for event in on.of(PlaybackReached))
    marks = sum(what == "mark" for _, what, _ in on.carrier.sent)
    assert on.time.woken <= len(plays) + 2 * marks  # five a second, and the carrier's own


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("at_ms", [700, 1_430, 2_345, 3_900, 5_555])
def test_a_hold_clears_at_once_and_knows_what_was_heard(line: dict[str, float], at_ms: int) -> None:
    on = stage(**line)
    on.voice.say("u1", TEXT)
    on.time.run_until(at_ms)
    sent = len(on.carrier.sent)
    on.voice.carry_out(cmd.HoldSpeech("u1"))
    assert on.carrier.sent[sent:] == [(at_ms, "clear", 0)]
    assert on.events[-1] == on.stopped
    on.time.run_for(1_000)
    assert abs(words_in(on.stopped.heard_text) - really_heard(on.carrier)) <= 1
    assert TEXT.startswith(on.stopped.heard_text)
    assert on.of(PlaybackEnded) == []
    assert on.time.idle


@pytest.mark.parametrize("line", LINES)
def test_once_the_line_was_measured_the_position_is_true_to_a_frame(line: dict[str, float]) -> None:
    on = stage(**line)
    on.voice.say("u1", TEXT)
    on.time.run_until(1_500)
    on.voice.cut("u1")  # the carrier returns a pending mark: the round trip is known
    on.time.run_until(3_000)
    heard_before = on.carrier.heard_ms()
    on.voice.say("u2", TEXT)
    on.time.run_until(6_333)
    on.voice.hold("u2")
    on.time.run_for(1_000)
    assert abs(on.stopped.heard_ms - (on.carrier.heard_ms() - heard_before)) <= 20


@pytest.mark.parametrize("line", LINES)
def test_resume_goes_on_from_the_start_of_the_held_word(line: dict[str, float]) -> None:
    on = stage(**line)
    on.voice.say("u1", TEXT)
    on.time.run_until(2_345)
    on.voice.hold("u1")
    held_text = on.stopped.heard_text
    on.time.run_for(400)
    before = on.carrier.heard_audio()
    on.voice.resume("u1")
    on.time.run_for(TOTAL_MS)
    spoken = next(end_ms for _, _, end_ms in reversed(WORDS[: words_in(held_text)]))
    assert len(on.carrier.heard_audio()) - len(before) == (TOTAL_MS - spoken) * 8
    assert [type(event) for event in on.events].count(PlaybackStarted) == 1
    assert len(on.of(PlaybackEnded)) == 1
    assert on.carrier.gaps == []


def test_marks_that_a_clear_returns_move_nothing() -> None:
    on = stage(out_ms=50, back_ms=50)
    on.voice.say("u1", TEXT)
    on.time.run_until(1_200)
    on.voice.hold("u1")
    events = len(on.events)
    on.time.run_for(90)
    on.voice.resume("u1")
    on.time.run_for(15)  # the old marks come back now
    assert on.events[events:] == []
    on.time.run_for(TOTAL_MS + 1_000)
    assert on.of(PlaybackEnded)


def test_held_before_anything_was_sent_nothing_is_cleared_and_it_starts_on_resume() -> None:
    engine = SlowEngine()
    on = stage(engine)
    on.voice.say("u1", TEXT)
    on.voice.hold("u1")
    assert on.events == [PlaybackStopped(0, "u1", 0, "")]
    engine.sounds["u1"].add(b"\xff" * 1_600)
    assert on.carrier.sent == []
    on.voice.resume("u1")
    assert on.of(PlaybackStarted) == [PlaybackStarted(0, "u1")]


def test_a_hold_after_the_last_word_ends_on_resume() -> None:
    on = stage(out_ms=50, back_ms=50)
    on.voice.say("u1", TEXT)
    on.time.run_until(TOTAL_MS + 40)
    on.voice.hold("u1")
    assert on.stopped.heard_text == TEXT
    on.voice.resume("u1")
    assert on.events[-1] == PlaybackEnded(on.events[-1].at_ms, "u1", False)
    assert not on.voice.speaking


def test_a_cut_gives_up_and_reports_once() -> None:
    engine = SlowEngine()
    on = stage(engine)
    on.voice.say("u1", TEXT)
    engine.sounds["u1"].add(b"\xff" * 8_000)
    on.time.run_until(500)
    on.voice.hold("u1")
    on.voice.cut("u1")
    on.voice.cut("u1")
    on.voice.resume("u1")
    assert len(on.of(PlaybackStopped)) == 1
    assert engine.cancelled == ["u1"]
    engine.sounds["u1"].add(b"\xff" * 8_000)  # the engine was slow to hear of it
    on.time.run_for(5_000)
    assert [what for _, what, _ in on.carrier.sent].count("clear") == 1
    assert on.time.idle
    on.voice.say("u2", "Go on.")
    on.voice.cut("u2")
    assert [event.utterance for event in on.events if isinstance(event, PlaybackStopped)] == ["u1", "u2"]


def test_commands_for_another_utterance_change_nothing() -> None:
    on = stage()
    on.voice.say("u2", TEXT)
    on.time.run_for(300)
    before = list(on.carrier.sent), list(on.events)
    for command in (cmd.HoldSpeech("u1"), cmd.ResumeSpeech("u1"), cmd.CutSpeech("u1"), cmd.ResumeSpeech("u2")):
        assert on.voice.carry_out(command)
    assert (on.carrier.sent, on.events) == before
    assert not on.voice.carry_out(cmd.HangUp("done"))


def test_a_say_over_another_cuts_it() -> None:
    on = stage()
    on.voice.carry_out(cmd.Say("u1", TEXT, Purpose.OFFER, True, "g1"))
    on.time.run_until(1_000)
    on.voice.carry_out(cmd.Say("u2", "Of course.", Purpose.ANSWER, True, "g2"))
    assert on.stopped.utterance == "u1"
    on.time.run_for(3_000)
    (ended,) = on.of(PlaybackEnded)
    assert isinstance(ended, PlaybackEnded) and ended.utterance == "u2"


@pytest.mark.parametrize("buffer_ms", [0, 200])
def test_a_carrier_without_marks_is_followed_by_the_clock(buffer_ms: int) -> None:
    on = stage(buffer_ms=buffer_ms)
    on.carrier.returns_marks = False
    on.voice.say("u1", TEXT)
    on.time.run_for(TOTAL_MS + MARK_GRACE_MS + 1)
    assert on.of(PlaybackEnded) == [PlaybackEnded(TOTAL_MS + MARK_GRACE_MS, "u1", False)]
    reached = [event for event in on.of(PlaybackReached) if isinstance(event, PlaybackReached)]
    assert [event.heard_ms for event in reached][:2] == [200, 800]
    assert not any(event.confirmed for event in reached)
    assert on.time.idle


def test_marks_later_than_their_grace_still_teach_the_lag() -> None:
    on = stage(out_ms=500, buffer_ms=500, back_ms=500)
    on.voice.say("u1", TEXT)
    on.time.run_for(TOTAL_MS + 3_000)
    (ended,) = on.of(PlaybackEnded)
    assert ended == PlaybackEnded(TOTAL_MS + 1_500, "u1", True)


def test_an_engine_slower_than_speech_makes_gaps_that_are_counted_and_not_taken_for_heard() -> None:
    engine = SlowEngine()
    on = stage(engine)
    on.voice.say("u1", "one two three four")
    sound = engine.sounds["u1"]
    for number, word in enumerate(["one", "two", "three", "four"]):
        on.time.run_until(number * 700)
        sound.time([[word, (number + 1) * 400]])
        sound.add(b"\x80" * 3_200)
    assert on.voice.playout.starved_times == 3
    assert on.voice.playout.starved_ms == 900
    assert [round(ms) for _, ms in on.carrier.gaps] == [300, 300, 300]
    on.time.run_for(200)
    on.voice.hold("u1")
    assert (on.stopped.heard_ms, on.stopped.heard_text) == (1_400, "one two three")


def test_whatever_pieces_an_engine_sends_the_carrier_gets_whole_frames_and_all_of_it() -> None:
    engine = SlowEngine()
    on = stage(engine)
    on.voice.say("u1", "odd")
    sound = engine.sounds["u1"]
    audio = bytes(index % 251 for index in range(5_003))
    for start in range(0, len(audio), 37):
        sound.add(audio[start : start + 37])
        on.time.run_for(1)
    sound.finish()
    on.time.run_for(3_000)
    assert on.carrier.heard_audio() == audio + b"\xff" * (-len(audio) % 160)
    assert on.of(PlaybackEnded)


def test_no_engine_fails_in_a_turn_of_its_own() -> None:
    on = stage(NoSynthesizer())
    on.voice.say("u1", TEXT)
    assert on.events == []
    on.time.run_for(0)
    (failed,) = on.events
    assert isinstance(failed, PlaybackFailed) and failed.heard_text == ""
    assert not on.voice.speaking


def test_what_an_engine_left_unfinished_is_played_and_then_failed() -> None:
    engine = SlowEngine()
    on = stage(engine)
    on.voice.say("u1", "one two three")
    engine.sounds["u1"].time([["one", 400], ["two", 800]])
    engine.sounds["u1"].add(b"\x80" * 6_400)
    on.time.run_until(300)
    engine.sounds["u1"].fail("gone")
    on.time.run_for(3_000)
    assert on.carrier.heard_ms() == 800
    (failed,) = on.of(PlaybackFailed)
    assert failed == PlaybackFailed(failed.at_ms, "u1", "gone", "one two")


def test_an_empty_utterance_ends() -> None:
    on = stage()
    on.voice.say("u1", "")
    assert [type(event) for event in on.events] == [PlaybackReached, PlaybackEnded]
    assert on.carrier.sent == []


def test_a_next_owner_goes_on_from_the_word_that_was_heard() -> None:
    on = stage(out_ms=20, back_ms=20)
    on.voice.say("u1", TEXT)
    on.time.run_until(2_345)
    utterance, text, heard_ms, started = on.voice.snapshot()
    on.voice.close()
    events: list[Event] = []
    heir = Voice(on.carrier, ToneSource(), events.append, on.time, on.time, VoicePolicy(), epoch=2)
    on.carrier.on_mark = heir.marked
    heir.restore(str(utterance), str(text), int(heard_ms), started=bool(started))
    heir.resume("u1")
    on.time.run_for(TOTAL_MS)
    assert [type(event) for event in events if not isinstance(event, PlaybackReached)] == [PlaybackEnded]
    assert on.carrier.heard_ms() >= TOTAL_MS


def test_a_next_owner_that_knows_what_was_sent_leaves_no_gap() -> None:
    on = stage()
    on.voice.say("u1", TEXT)
    on.time.run_until(2_345)
    sent_ms, heard_ms = on.voice.playout.sent_ms, on.voice.heard_ms()
    on.voice.close()
    on.time.run_for(90)
    events: list[Event] = []
    heir = Voice(on.carrier, ToneSource(), events.append, on.time, on.time, VoicePolicy(), epoch=2)
    on.carrier.on_mark = heir.marked
    heir.restore("u1", TEXT, heard_ms + 90, sent_ms=sent_ms)
    heir.resume("u1")
    on.time.run_for(TOTAL_MS)
    whole = Sound(TEXT)
    ToneSource().speak("u1", whole)
    assert on.carrier.heard_audio() == whole.slice(0, TOTAL_MS)
    assert on.carrier.gaps == []
    assert isinstance(events[-1], PlaybackEnded) and events[-1].confirmed


@pytest.mark.parametrize(
    "name", ["", "x", "u1/1.1/", "u1/1.1/-5", "u1/1.1/99999999", "u1/1.0/100", "u1/2.1/100", "u2/1.1/100", "u1/1.1/1e3"]
)
def test_marks_that_are_not_ours_move_nothing(name: str) -> None:
    on = stage()
    on.carrier.returns_marks = False
    on.voice.say("u1", TEXT)
    on.time.run_for(50)
    before = list(on.events)
    on.voice.marked(name)
    assert on.events == before
    assert on.voice.heard_ms() == 50


@pytest.mark.parametrize("at", [PlaybackStarted, PlaybackReached, PlaybackStopped])
@pytest.mark.parametrize("deed", ["hold", "cut", "say"])
def test_whoever_takes_an_event_may_act_at_once(at: type[Event], deed: str) -> None:
    on = stage(out_ms=10, back_ms=10)
    after: list[tuple[float, str, int | str]] = []

    def act(event: Event) -> None:
        on.events.append(event)
        if type(event) is at and not after:
            after.append((0, "", 0))
            match deed:
                case "hold":
                    on.voice.hold("u1")
                case "cut":
                    on.voice.cut("u1")
                case "say":
                    on.voice.say("u2", "Of course.")
            after[:] = on.carrier.sent

    on.voice._emit = act
    on.voice.say("u1", TEXT)
    on.time.run_until(1_000)
    if at is PlaybackStopped:
        on.voice.hold("u1")
    on.time.run_for(5_000)
    assert after
    if deed == "say":
        (ended,) = on.of(PlaybackEnded)
        assert isinstance(ended, PlaybackEnded) and ended.utterance == "u2"
    else:
        assert on.carrier.sent == after, "nothing is sent after it"
        assert len(on.of(PlaybackStopped)) == 1
        assert on.voice.speaking is (deed == "hold")
    assert on.time.idle
