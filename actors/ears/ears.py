"""The ears of one call: frames of telephone audio in, events out, in the frame's own time (under 50 us on average).

No I/O and no clock: moments come with the frames. What an event means is decided in `policies/`.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from offhook.policies.core.events import Event, SpeechEnded, SpeechMeasured, SpeechStarted
from offhook.policies.core.policy import Ears as EarsPolicy

from ..audio.format import FRAME_BYTES, FRAME_MS, SILENT_FRAME
from .measure import Frame
from .tones import ToneDetector
from .vad import VoiceActivity

MEASURE_EVERY_MS = 100
_QUIET = SILENT_FRAME
_PITCHES_MAX = 300  # half a minute of talk: enough for a median
_RECENT_FRAMES = 32  # more than the longest onset window
_GAP_MS = 400  # frames that arrive this much later than the last one follow a hole, not jitter
_BURST_SHARE = 1.25  # of the usual time between two bursts: later than that, frames are missing


class Ears:
    """Hears one caller. `feed` takes mu-law at 8 kHz; a frame of 20 ms is judged the moment it is whole."""

    def __init__(self, policy: EarsPolicy) -> None:
        self._activity = VoiceActivity(policy)
        self._tones = ToneDetector()
        self._rest = b""
        self._before = _QUIET  # the frame before
        self._heard_ms = -1  # when the last frame ended
        self._holes: deque[tuple[int, int]] = deque(maxlen=2)  # in what the line brings: when they ended, how long
        self._onset_ms = 0
        self._last_voiced_ms = 0
        self._measured_ms = 0
        self._voiced_ms = 0
        self._power = 0.0
        self._pitches: list[float] = []  # of the talkspurt, as measured
        self._recent: deque[float] = deque(maxlen=_RECENT_FRAMES)  # loudness before the onset is confirmed, in dB

    def feed(self, audio: bytes, at_ms: int) -> list[Event]:
        """Take in the audio that ended at `at_ms` on the call's clock; one frame is the fast way."""
        if len(audio) == FRAME_BYTES and not self._rest:
            return self._frame(audio, at_ms)
        audio = self._rest + audio
        events: list[Event] = []
        whole = len(audio) // FRAME_BYTES
        for index in range(whole):
            ended_ms = max(self._heard_ms, at_ms - (whole - 1 - index) * FRAME_MS)
            events += self._frame(audio[index * FRAME_BYTES : (index + 1) * FRAME_BYTES], ended_ms)
        self._rest = audio[whole * FRAME_BYTES :]
        return events

    @property
    def speaking(self) -> bool:
        """A talkspurt was told, and not its end."""
        return self._activity.speaking

    @property
    def heard_ms(self) -> int:
        """When the last frame ended; -1 = there was none."""
        return self._heard_ms

    @property
    def burst_ms(self) -> int:
        """How far apart the bursts are in which this line brings its frames; 0 = it brings them one by one."""
        if len(self._holes) < 2:
            return 0
        (before_ms, first), (last_ms, second) = self._holes
        steady = max(last_ms - before_ms, self._heard_ms - last_ms) <= 1.5 * min(first, second)
        return max(first, second) if steady else 0

    @property
    def voiced(self) -> bool:
        """Whether the last frame was judged to be speech."""
        return self._activity.voiced

    def lead_by(self, policy: EarsPolicy) -> None:
        """Other thresholds from the next frame on: what is known of the line and of a talkspurt stays."""
        self._activity = self._activity.successor(policy)

    def interrupt(self, at_ms: int) -> list[Event]:
        """The audio has stopped coming (a lost line): what was being said is over."""
        self._rest = b""
        self._before = _QUIET
        return self._end(at_ms) if self._activity.speaking else []

    def agree(self, speaking: bool, onset_ms: int, voiced_ms: int, loudness_db: float, at_ms: int) -> None:
        """After a takeover, and after hearing again what was heard before: begin where the former owner's ears stood.

        Args:
            speaking: a talkspurt was told and not its end; the rest is what was told of it.
        """
        if not speaking:
            if self._activity.speaking:
                self._activity.forget()
            return
        if not self._activity.speaking:
            self._activity.go_on()
            self._last_voiced_ms = at_ms
        self._onset_ms = onset_ms
        self._voiced_ms = max(FRAME_MS, voiced_ms)
        self._power = _power(loudness_db) * (self._voiced_ms // FRAME_MS)

    def _frame(self, audio: bytes, at_ms: int) -> list[Event]:
        events: list[Event] = []
        if self._heard_ms >= 0 and at_ms - self._heard_ms > _GAP_MS:
            events += self._hole(at_ms, at_ms - self._heard_ms)
        self._heard_ms = at_ms
        frame = Frame(audio, self._before)
        self._before = audio
        tone = self._tones.hear(frame, at_ms)
        change = self._activity.hear(frame)
        if tone is not None:
            events.append(tone)
        if change < 0 or (self._tones.sounding and self._activity.speaking and change == 0):
            events += self._end(at_ms)
        elif self._tones.sounding:
            self._activity.forget()  # a tone is nobody speaking
        elif change > 0:
            self._recent.append(frame.loudness_db)
            events.append(self._begin(change, frame))
        elif self._activity.speaking:
            events += self._go_on(frame)
        else:
            self._recent.append(frame.loudness_db)
        return events

    def _hole(self, at_ms: int, length_ms: int) -> list[Event]:
        """No frame came for so long. On a line that brings them in bursts the present one fills it; else it cuts."""
        usual_ms = self.burst_ms
        self._holes.append((at_ms, length_ms))
        return self.interrupt(at_ms) if length_ms > _BURST_SHARE * usual_ms else []

    def _begin(self, frames: int, frame: Frame) -> Event:
        at_ms = self._heard_ms
        self._onset_ms = max(0, at_ms - frames * FRAME_MS)
        self._last_voiced_ms = self._measured_ms = at_ms
        heard = list(self._recent)[-frames:]
        self._voiced_ms = len(heard) * FRAME_MS
        self._power = sum(map(_power, heard))
        self._recent.clear()
        self._pitches.clear()
        return SpeechStarted(
            at_ms, self._onset_ms, self._loudness(), round(self._activity.snr_db, 1), self._pitch(frame)
        )

    def _go_on(self, frame: Frame) -> list[Event]:
        at_ms = self._heard_ms
        if self._activity.voiced:
            self._voiced_ms += FRAME_MS
            self._power += _power(frame.loudness_db)
            self._last_voiced_ms = at_ms
        if at_ms - self._measured_ms < MEASURE_EVERY_MS:
            return []
        self._measured_ms = at_ms
        return [
            SpeechMeasured(
                at_ms,
                self._onset_ms,
                self._voiced_ms,
                self._loudness(),
                round(self._activity.snr_db, 1),
                self._pitch(frame),
            )
        ]

    def _end(self, at_ms: int) -> list[Event]:
        self._activity.forget()
        pitch_hz = median(self._pitches) if self._pitches else 0.0
        return [SpeechEnded(at_ms, self._onset_ms, self._last_voiced_ms, self._voiced_ms, self._loudness(), pitch_hz)]

    def _loudness(self) -> float:
        frames = max(1, self._voiced_ms // FRAME_MS)
        return round(10.0 * math.log10(max(1e-8, self._power / frames)), 1)

    def _pitch(self, frame: Frame) -> float:
        """Of the last 40 ms; the talkspurt's own is the median of what was measured in it."""
        hertz = round(frame.pitch[0], 1)
        if hertz > 0 and len(self._pitches) < _PITCHES_MAX:
            self._pitches.append(hertz)
        return hertz


def _power(loudness_db: float) -> float:
    return float(10.0 ** (loudness_db / 10.0))
