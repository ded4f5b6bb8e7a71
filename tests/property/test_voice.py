"""Whatever happens, and whenever: the voice reports one end, is silent while held, and knows what was heard."""

from __future__ import annotations

from carrier import Carrier
from hypothesis import given, settings
from hypothesis import strategies as st
from offhook.actors.audio.sound import Sound
from offhook.actors.engines.sources import ToneSource
from offhook.actors.voice.voice import MARK_GRACE_MS, Voice
from offhook.policies.core.events import (
    Event,
    PlaybackEnded,
    PlaybackFailed,
    PlaybackReached,
    PlaybackStarted,
    PlaybackStopped,
)
from offhook.policies.core.policy import Voice as VoicePolicy
from virtual_time import VirtualTime

TEXTS = (
    "Sure.",
    "The price is nineteen dollars a month, and you can cancel whenever you like.",
    "Shall I set that up for you today, or would you rather think about it until next week?",
)
ENDS = (PlaybackEnded, PlaybackFailed)


class FitfulEngine:
    """Sends the tones of a text in pieces, some of them late, and sometimes gives up."""

    def __init__(self, time: VirtualTime, delays_ms: list[int], gives_up: bool) -> None:
        self.time = time
        self.delays_ms = delays_ms
        self.gives_up = gives_up

    def speak(self, utterance: str, sound: Sound) -> None:
        whole = Sound(sound.text)
        ToneSource().speak(utterance, whole)
        start_ms, at_ms = 0, 0
        for number, (word, end_ms) in enumerate(whole.timed):
            at_ms += self.delays_ms[number % len(self.delays_ms)]
            last = number == len(whole.timed) - 1
            piece = whole.slice(start_ms, whole.length_ms if last else end_ms)
            self.time.call_later(at_ms / 1_000, self._send, sound, word, end_ms, piece, last)
            start_ms = end_ms

    def _send(self, sound: Sound, word: str, end_ms: int, piece: bytes, last: bool) -> None:
        if self.gives_up and end_ms > 2_000:
            sound.fail("gave up")
            return
        sound.time([[word, end_ms]])
        sound.add(piece)
        if last:
            sound.finish()

    def cancel(self, utterance: str) -> None: ...

    def close(self) -> None: ...


DEEDS = st.lists(
    st.tuples(
        st.integers(0, 3_000), st.sampled_from(["say", "hold", "resume", "cut", "ghost"]), st.sampled_from(TEXTS)
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=150)
@given(
    deeds=DEEDS,
    line=st.fixed_dictionaries(
        {"out_ms": st.integers(0, 300), "buffer_ms": st.integers(0, 300), "back_ms": st.integers(0, 300)}
    ),
    delays_ms=st.lists(st.integers(0, 900), min_size=1, max_size=5),
    gives_up=st.booleans(),
    marks=st.booleans(),
)
def test_a_voice_in_any_hands(
    deeds: list[tuple[int, str, str]], line: dict[str, float], delays_ms: list[int], gives_up: bool, marks: bool
) -> None:
    time = VirtualTime()
    carrier = Carrier(time, **line)
    carrier.returns_marks = marks
    events: list[Event] = []
    voice = Voice(carrier, FitfulEngine(time, delays_ms, gives_up), events.append, time, time, VoicePolicy())
    carrier.on_mark = voice.marked
    said: dict[str, str] = {}
    held = ""
    for wait_ms, deed, text in deeds:
        sent = len(carrier.sent)
        time.run_for(wait_ms)
        assert not held or len(carrier.sent) == sent, "silent while held"
        current = f"u{len(said)}"
        match deed:
            case "say":
                held = ""
                said[f"u{len(said) + 1}"] = text
                voice.say(f"u{len(said)}", text)
            case "hold":
                voice.hold(current)
                held = current if voice.speaking else ""
            case "resume":
                held = ""
                voice.resume(current)
            case "cut":
                held = ""
                voice.cut(current)
                assert not voice.speaking
            case "ghost":
                voice.hold("nobody")
                voice.resume("nobody")
                voice.cut("nobody")
                voice.marked(f"{current}/9.9/100")
    voice.resume(f"u{len(said)}")
    time.run_for(60_000 + MARK_GRACE_MS)
    assert not voice.speaking and time.idle
    for utterance, text in said.items():
        check(utterance, text, [event for event in events if getattr(event, "utterance", "") == utterance])


def check(utterance: str, text: str, events: list[Event]) -> None:
    """What one utterance's events must be, in whatever hands."""
    ended = [event for event in events if isinstance(event, ENDS)]
    stopped = [event for event in events if isinstance(event, PlaybackStopped)]
    assert len(ended) <= 1 and (ended or stopped), "every utterance is accounted for"
    assert not ended or events[-1] is ended[0], "nothing after the end"
    started = [event for event in events if isinstance(event, PlaybackStarted)]
    assert len(started) <= 1
    heard = [event.heard_ms for event in events if isinstance(event, PlaybackReached)]
    assert not heard or started, "nothing is heard that was not sent"
    assert [event.at_ms for event in events] == sorted(event.at_ms for event in events)
    for event in stopped:
        assert text.startswith(event.heard_text)
        assert bool(event.heard_text) <= bool(started)
