"""What one live call measures of itself as it goes: "measure" records, for whoever asks how quick it was.

Sums and counts of a whole call are `call_figures.py`'s matter, what it used `usage.py`'s.
"""

from __future__ import annotations

from offhook.policies.core import events as ev
from offhook.policies.core.records import HOLD, REPLY, Measure

from .recorder import Recorder


class Measures:
    """The measurements of one call."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._caller_ended_ms = 0  # end of the caller's speech that no utterance has followed yet

    def held(self, at_ms: int, utterance: str, us: int) -> None:
        """An utterance was silenced on the line."""
        self._recorder.tell(at_ms, Measure(HOLD, utterance, us=us))

    def settled(self, event: ev.Event) -> None:
        """After an event and its effects."""
        if isinstance(event, ev.SpeechEnded):
            self._caller_ended_ms = event.ended_ms
        elif isinstance(event, ev.PlaybackStarted) and self._caller_ended_ms:
            waited_ms = event.at_ms - self._caller_ended_ms
            self._caller_ended_ms = 0
            self._recorder.tell(event.at_ms, Measure(REPLY, event.utterance, ms=waited_ms))
