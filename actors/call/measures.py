"""What one live call measures of itself as it goes: "measure" records, for whoever asks how quick it was.

    hold    utterance, us: from the frame that confirmed an overlap to the `clear` on the line
    reply   utterance, ms: from the end of the caller's speech to the first sound of the answer

Sums and counts of a whole call are `call_figures.py`'s matter, what it used `usage.py`'s.
"""

from __future__ import annotations

from offhook.policies.core import events as ev

from .recorder import Recorder


class Measures:
    """The measurements of one call."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._caller_ended_ms = 0  # end of the caller's speech that no utterance has followed yet

    def held(self, at_ms: int, utterance: str, us: int) -> None:
        """An utterance was silenced on the line."""
        self._recorder.write(at_ms, "measure", {"what": "hold", "utterance": utterance, "us": us})

    def settled(self, event: ev.Event) -> None:
        """After an event and its effects."""
        if isinstance(event, ev.SpeechEnded):
            self._caller_ended_ms = event.ended_ms
        elif isinstance(event, ev.PlaybackStarted) and self._caller_ended_ms:
            waited_ms = event.at_ms - self._caller_ended_ms
            self._caller_ended_ms = 0
            body = {"what": "reply", "utterance": event.utterance, "ms": waited_ms}
            self._recorder.write(event.at_ms, "measure", body)
