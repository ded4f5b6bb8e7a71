"""A voice for speech that was never recorded: it takes as long as this voice is known to take, and stops at once.

While all goes as it went, the recorded playback is used and this only follows it. From a divergence on it speaks
itself: the rest of what is being said then, and whatever comes after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ..core import events as ev
from ..core.commands import CutSpeech, HoldSpeech, ResumeSpeech, Say
from ..core.events import Event
from ..core.state import Playing, Utterance
from .recording import Recording

STOP_MS = 6  # from a hold to its report


class Course(Protocol):
    """What a stand-in needs of the trial that it speaks in."""

    recording: Recording
    now_ms: int

    def put(self, event: Event) -> None: ...


@dataclass(slots=True)
class _Utterance:
    id: str
    text: str
    heard_ms: int = 0
    since_ms: int = -1  # audible since; -1 = not audible
    started: bool = False


class StandIn:
    """The voice of one trial."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._now: _Utterance | None = None
        self._active = False
        self._planned: list[Event] = []  # what is still to come of the present utterance, as it stands now

    def adopt(self, current: Utterance) -> None:
        """What was being said when the recording begins."""
        since_ms = current.started_ms if current.playing is Playing.PLAYING else -1
        self._now = _Utterance(current.id, current.text, current.heard_ms, since_ms, current.started_ms > 0)

    def take_over(self) -> None:
        """From here on nothing recorded is heard any more: go on with what is being said."""
        self._active = True
        now = self._now
        if now is not None and (now.since_ms >= 0 or not now.started):
            self._go_on(now)

    def comes(self, event: Event, recorded: bool) -> bool:
        """False for playback that no longer happens so."""
        return not self._active if recorded else any(each is event for each in self._planned)

    def observe(self, event: Any) -> None:
        """Follow what is heard, whoever speaks it."""
        now = self._now
        if now is None or getattr(event, "utterance", "") != now.id:
            return
        if isinstance(event, ev.PlaybackStarted):
            now.started, now.since_ms = True, event.at_ms
            if self._active:
                self._go_on(now)
        elif isinstance(event, ev.PlaybackStopped):
            now.heard_ms, now.since_ms = event.heard_ms, -1
        elif isinstance(event, (ev.PlaybackEnded, ev.PlaybackFailed)):
            self._now = None

    def carry_out(self, command: Any) -> None:
        """Speak, hold, resume or cut; before it has taken over, only know of it."""
        if isinstance(command, Say):
            self._now = _Utterance(command.utterance, command.text)
            self._go_on(self._now)
            return
        now = self._now
        if now is None or now.id != command.utterance:
            return
        if isinstance(command, (HoldSpeech, CutSpeech)):
            self._stop(now)
            if isinstance(command, CutSpeech):
                self._now = None
        elif isinstance(command, ResumeSpeech):
            if now.started and now.since_ms < 0:
                now.since_ms = self._course.now_ms
            self._go_on(now)

    def _go_on(self, now: _Utterance) -> None:
        course = self._course
        if not now.started:
            self._plan(ev.PlaybackStarted(course.now_ms + course.recording.start_ms, now.id))
        else:
            left_ms = course.recording.length_ms(now.text) - self._position(now)
            self._plan(ev.PlaybackEnded(course.now_ms + max(0, left_ms), now.id, True))

    def _stop(self, now: _Utterance) -> None:
        if now.since_ms < 0:
            self._planned = []
            return
        now.heard_ms, now.since_ms = self._position(now), -1
        words = now.text.split()
        share = now.heard_ms / max(1, self._course.recording.length_ms(now.text))
        heard = " ".join(words[: int(share * len(words))])
        self._plan(ev.PlaybackStopped(self._course.now_ms + STOP_MS, now.id, now.heard_ms, heard))

    def _position(self, now: _Utterance) -> int:
        return now.heard_ms + (self._course.now_ms - now.since_ms if now.since_ms >= 0 else 0)

    def _plan(self, event: Event) -> None:
        if self._active:
            self._planned = [event]
            self._course.put(event)
