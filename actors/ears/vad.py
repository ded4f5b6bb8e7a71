"""Voice activity: when a talkspurt has begun and when it is over. Measuring is `measure.py`; events are `ears.py`.

A strategy of the policy judges each frame: "webrtc" takes webrtcvad's word, "confirmed" weighs it against what else the
frame shows (`confirm.py`), "silero" asks a network (`neural.py`). A talkspurt begins once `onset_ms` of the last
`onset_window_ms` were voiced and stand out of the noise, and is over after `hangover_ms` without voice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import webrtcvad
from offhook.policies.core.policy import Ears as EarsPolicy

from ..audio.format import FRAME_MS, RATE_HZ
from .confirm import Confirmation
from .measure import Frame
from .neural import NeuralConfirmation

_FLOOR_BLOCK_FRAMES = 10  # 200 ms
_FLOOR_BLOCKS = 8  # the quietest frame of the last 1.6 s: longer than a syllable, shorter than a change of scene
_FLOOR_START_DB = -60.0  # a quiet line, until it has been listened to
_FLOOR_LOWEST_DB = -65.0  # comfort noise; without it a digitally silent line would make any click stand out
INAUDIBLE_DB = -58.0  # nobody is heard below this, whatever a detector makes of the line's last bits
# Probability from which a frame counts as speech: out of silence, and inside a talkspurt, where a soft syllable is not
# its end. Best F1, for "confirmed" cross-validated by file.
_SHARES: dict[str, tuple[float, float]] = {"webrtc": (0.5, 0.5), "confirmed": (0.5, 0.35), "silero": (0.4, 0.4)}
# Frames on end too near the noise floor to be a voice, after which a line is nothing but its noise and no detector is
# asked. Between words one is: it cannot make them voiced, but it learns what surrounds the voice.
SETTLED_FRAMES = 5
_UNPITCHED_MS = 160  # voice without any pitch (a whisper, a hissed "sss") must last this long: longer than a click or
# most of a cough, whose burst has none


class NoiseFloor:
    """The quietest frames of the last 1.6 s (minimum statistics, Martin 2001), in dB."""

    def __init__(self) -> None:
        self._blocks: deque[float] = deque([_FLOOR_START_DB], maxlen=_FLOOR_BLOCKS)
        self._block = 0.0
        self._frames = 0
        self.db = _FLOOR_START_DB

    def hear(self, loudness_db: float) -> None:
        """Take one frame's loudness in."""
        self._block = min(self._block, loudness_db)
        self._frames += 1
        if self._frames == _FLOOR_BLOCK_FRAMES:
            self._blocks.append(self._block)
            self._block, self._frames = 0.0, 0
            self.db = max(_FLOOR_LOWEST_DB, min(self._blocks))
        elif loudness_db < self.db:
            self.db = max(_FLOOR_LOWEST_DB, loudness_db)


class VoiceActivity:
    """Judges frame by frame."""

    def __init__(self, policy: EarsPolicy) -> None:
        self._policy = policy
        self._frames = max(1, policy.onset_window_ms // FRAME_MS)
        self._needed = max(1, min(self._frames, policy.onset_ms // FRAME_MS))
        self._unpitched = max(self._needed, _UNPITCHED_MS // FRAME_MS)
        self._window: deque[bool] = deque(maxlen=max(self._frames, self._unpitched))
        self._pitched: deque[bool] = deque(maxlen=self._frames)
        self._floor = NoiseFloor()
        self._settled = 0  # frames since a voiced one
        self._silent_ms = 0
        self._confirms = policy.detector != "webrtc"
        self._voiced_share, self._goes_on_share = _SHARES[policy.detector]
        self._judge = _STRATEGIES[policy.detector](policy)
        self.speaking = False
        self.voiced = False  # the last frame
        self.snr_db = 0.0  # of the last frame

    def hear(self, frame: Frame) -> int:
        """Judge one frame: 0 = nothing changed, n > 0 = a talkspurt began n frames ago, n < 0 = it is over.

        A frame that could not count as speech whatever a detector says of it is not shown to the detector: most of a
        call is a quiet line, and it must cost next to nothing.
        """
        loudness_db = frame.loudness_db
        self._floor.hear(loudness_db)
        frame.floor_db = self._floor.db
        self.snr_db = snr_db = max(0.0, loudness_db - frame.floor_db)
        audible = loudness_db >= INAUDIBLE_DB
        if self.speaking:
            if audible:
                return self._go_on(self._judge.probability(frame) >= self._goes_on_share)
            self._judge.passed(frame)
            return self._go_on(False)
        clear, voiced_before = snr_db >= self._policy.minimum_snr_db, self.voiced
        if audible and (clear or self._settled < SETTLED_FRAMES):
            likely = self._judge.probability(frame) >= self._voiced_share
            self.voiced = likely and clear
        else:
            self._judge.passed(frame)
            self.voiced = False
        self._settled = 0 if self.voiced else self._settled + 1
        self._window.append(self.voiced)
        # Pitch looks at two frames: beside the line's own noise, whose hum has one, it would not be the sound's.
        self._pitched.append(self.voiced and voiced_before and self._confirms and frame.pitch[0] > 0)
        return self._begins() if self.voiced else 0

    def successor(self, policy: EarsPolicy) -> VoiceActivity:
        """The same line under other thresholds; a detector that stays keeps what it has learnt."""
        if policy == self._policy:
            return self
        following = VoiceActivity(policy)
        following._floor, following._settled, following._silent_ms = self._floor, self._settled, self._silent_ms
        following.speaking, following.voiced, following.snr_db = self.speaking, self.voiced, self.snr_db
        following._window.extend(self._window)
        following._pitched.extend(self._pitched)
        if policy.detector == self._policy.detector != "webrtc":
            following._judge = self._judge
        return following

    def forget(self) -> None:
        """Whatever was being said is over."""
        self.speaking = self.voiced = False
        self._window.clear()
        self._pitched.clear()
        self._silent_ms = 0

    def go_on(self) -> None:
        """Somebody is known to be speaking."""
        self.speaking = True
        self._silent_ms = 0

    def _begins(self) -> int:
        recent = list(self._window)
        if sum(recent[-self._frames :]) < self._needed:
            return 0
        if self._confirms and not any(self._pitched) and sum(recent) < self._unpitched:
            return 0
        self.speaking = True
        self._silent_ms = 0
        return len(recent) - recent.index(True)

    def _go_on(self, voiced: bool) -> int:
        self.voiced = voiced
        self._silent_ms = 0 if voiced else self._silent_ms + FRAME_MS
        if self._silent_ms < self._policy.hangover_ms:
            return 0
        self.forget()
        return -1


class Judge(Protocol):
    """A strategy; every frame of the line comes by, in order, one way or the other."""

    def probability(self, frame: Frame) -> float:
        """That the frame is speech, 0 to 1."""

    def passed(self, frame: Frame) -> None:
        """Take note of a frame about which nobody asks."""


class _Webrtc:
    def __init__(self, policy: EarsPolicy) -> None:
        self._is_speech = webrtcvad.Vad(policy.aggressiveness).is_speech
        self._nearest_db = policy.minimum_snr_db / 2.0  # inside a talkspurt; its beginning needs the whole of it

    def probability(self, frame: Frame) -> float:
        clear = frame.loudness_db - frame.floor_db >= self._nearest_db
        return 1.0 if clear and self._is_speech(frame.samples, RATE_HZ) else 0.0

    def passed(self, frame: Frame) -> None:
        """Leaves webrtcvad's idea of the noise alone; the noise floor does that work here."""


_STRATEGIES: dict[str, Callable[[EarsPolicy], Judge]] = {
    "webrtc": _Webrtc,
    "confirmed": lambda _: Confirmation(),
    "silero": lambda _: NeuralConfirmation(),
}
