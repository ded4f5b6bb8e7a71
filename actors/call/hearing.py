"""What one call hears: frames through the ears and to the recognizer, keys, and how far it has come with them.

The hot path runs through `frame`. Before an event that a frame or a key causes is folded, the call's place is written
down (`records.Place`), in one message with the event: the next owner of the call begins right behind it. After a
takeover the frames that the former owner has taken in are heard once more, and nothing follows from them: they give
the ears the line's noise and the recognizer the unfinished words. Where frames stop in mid-word (`media_watch.py`), the
talkspurt ends, and so do its words.
"""

from __future__ import annotations

from collections.abc import Callable

from offhook.policies.core import events as ev
from offhook.policies.core.policy import Ears as EarsPolicy
from offhook.policies.core.records import Place
from offhook.policies.core.state import CallerSpeech
from offhook.policies.core.version import CORE

from ..audio.format import BYTES_PER_MS, SILENCE
from ..contracts.errors import ProtocolFault
from ..ears import Ears
from ..engines.port import Recognizer
from ..process.clock import Alarm, Clock
from .broadcaster import Broadcaster
from .media_watch import MediaWatch
from .phone_line import PhoneLine
from .recorder import Recorder

WARM_UP_MS = 3_000  # of known audio for the ears: their noise floor looks back 1.6 s; the recognizer gets all of it
SPEECH_FRAMES = 3  # in one message while a talkspurt goes on: 60 ms; what waits is a measurement or its end, both dated
DIGITS = "0123456789*#ABCD"

_PACES: dict[type[ev.Event], int] = {ev.SpeechStarted: SPEECH_FRAMES, ev.SpeechEnded: 1}
_TELLING = (ev.SpeechStarted, ev.SpeechEnded, ev.ToneHeard)  # told twice they would be two; a measurement would not
_VOICED = (ev.SpeechMeasured, ev.SpeechEnded)  # say how much voice there was
STALL_FILL_MS_MAX = 2_000  # of silence for the recognizer, where no frame tells it that a word is over


class Hearing:
    """The ears' side of one call. `take` folds an event; `presently()` is what the state knows of the caller's speech.

    `line` is set once there is one: it needs somebody to tell, and that is this.
    """

    line: PhoneLine

    def __init__(
        self,
        policy: EarsPolicy,
        recognizer: Recognizer,
        broadcaster: Broadcaster,
        recorder: Recorder,
        clock: Clock,
        alarm: Alarm,
        take: Callable[[ev.Event], None],
        presently: Callable[[], CallerSpeech],
    ) -> None:
        self.recognizer = recognizer
        self._ears = ears = Ears(policy)
        self._broadcaster = broadcaster
        self._recorder = recorder
        self._clock = clock
        self._take = take
        self._presently = presently
        self._to_agree = False  # the ears are another owner's successor and have heard no news yet
        speaking, line_open = lambda: presently().speaking, lambda: self.line.open
        self._watch = MediaWatch(alarm, clock, policy.media_stall_ms, ears, speaking, line_open, self._stalled)
        recognizer.wordless_ms = policy.wordless_ms

    def frame(self, frame: bytes, age_ms: int, news: bool) -> None:
        """20 ms of the caller that ended `age_ms` ago; `news` = no owner of this call has taken it in."""
        at_ms = self._clock.now_ms() - age_ms
        if not news:
            if age_ms <= WARM_UP_MS:
                self._ears.feed(frame, at_ms)
            self.recognizer.feed(frame, at_ms)
            return
        if self._to_agree:
            self._agree(at_ms)
        events = self._ears.feed(frame, at_ms)
        pace = 0
        if events:
            if any(isinstance(event, _TELLING) for event in events):
                self.write_place()
            for event in events:
                self._take(event)
                pace = _PACES.get(type(event), pace)
                if isinstance(event, _VOICED):
                    self.recognizer.speech(event.onset_ms, event.voiced_ms)
        self.recognizer.feed(frame, at_ms)
        if pace:
            self.line.pace(pace)
            if pace == SPEECH_FRAMES:
                self._watch.begin()
            else:
                self.recognizer.flush()
        if self.line.acknowledgement_due:
            self._recorder.flush()
            self.line.acknowledge(self._recorder.seq)

    def digit(self, digit: str) -> None:
        """A key.

        Raises:
            ProtocolFault: there is no such key.
        """
        if digit not in DIGITS or len(digit) != 1:
            raise ProtocolFault(f"digit {digit!r}: allowed are 0-9 * # A-D")
        self.write_place()
        self._take(ev.DigitPressed(self._clock.now_ms(), digit))

    def interrupt(self) -> None:
        """The line is lost: what was being said is over."""
        for event in self._ears.interrupt(self._clock.now_ms()):
            self._take(event)

    def _stalled(self) -> None:
        """No frame in mid-word: the word is over, for the recognizer too."""
        now_ms = self._clock.now_ms()
        if self._to_agree:  # a successor that has had no frame at all: what its predecessor's ears told is all it knows
            known = self._presently()
            self._agree(min(now_ms, known.onset_ms + known.voiced_ms))
        missing_ms = min(max(0, now_ms - self._ears.heard_ms), STALL_FILL_MS_MAX)
        self.write_place()
        self.interrupt()
        self.recognizer.flush()
        self.recognizer.feed(SILENCE * (missing_ms * BYTES_PER_MS), now_ms)
        self.line.pace(1)

    def close(self) -> None:
        """The call is over."""
        self._watch.close()
        self.recognizer.close()

    def write_place(self) -> None:
        """Record how far this call has come beside its state."""
        line, words = self.line, self.recognizer.place()
        place = Place(line.stream, line.frames_taken, line.digits_taken, self._broadcaster.seq, *words, core=CORE)
        self._recorder.tell(self._clock.now_ms(), place)

    def lead_by(self, policy: EarsPolicy) -> None:
        """Other thresholds from the next frame on, also inside a talkspurt."""
        self._ears.lead_by(policy)
        self._watch.stall_ms = policy.media_stall_ms
        self.recognizer.wordless_ms = policy.wordless_ms

    def go_on(self, place: Place) -> None:
        """A former owner has come so far."""
        self.line.go_on(place.stream, place.frames, place.digits)
        self.recognizer.go_on(place.final_ms, place.segment, place.open_segment)
        self._to_agree = True
        if self._presently().speaking:
            self._watch.begin()

    def _agree(self, at_ms: int) -> None:
        self._to_agree = False
        known = self._presently()
        self._ears.agree(known.speaking, known.onset_ms, known.voiced_ms, known.loudness_db, at_ms)
