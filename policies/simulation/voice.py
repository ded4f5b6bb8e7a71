"""A simulated voice: utterances with a length, heard in real time, held, resumed and cut; marks by a carrier.

It answers as `actors/voice/voice.py` does: PlaybackStarted when the first audio leaves, PlaybackReached on the
carrier's marks, PlaybackStopped with the heard text after a hold or a cut, PlaybackEnded confirmed by the last mark, or
by the clock after a grace where that mark is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..core import events as ev
from ..core.commands import CutSpeech, HoldSpeech, ResumeSpeech, Say
from .world import World

WORD_MS = 280
START_MS = (15, 120)  # to the first audio: cached, or synthesized
STOP_MS = 6
MARK_MS = 1_000
MARK_GRACE_MS = 400  # after which our clock speaks for a lost mark


@dataclass(slots=True)
class _Playing:
    id: str
    words: list[str]
    total_ms: int
    heard_ms: int = 0
    running_since_ms: int = -1  # -1 = not audible now
    started: bool = False
    held: bool = False
    run: int = 0  # counts stretches of playback, so that what was planned for an older one is void


class Voice:
    """The one voice of a call."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._now: _Playing | None = None
        world.speak_through(self)

    @property
    def audible(self) -> str:
        """The id of the utterance that the caller hears now, or an empty string."""
        return self._now.id if self._now is not None and self._now.running_since_ms >= 0 else ""

    @property
    def left_ms(self) -> int:
        """How long the audible utterance still takes; 0 when nothing is audible."""
        return self._now.total_ms - self._heard_ms(self._now) if self._now is not None and self.audible else 0

    def say(self, command: Say) -> None:
        words = command.text.split()
        self._now = _Playing(command.utterance, words, max(200, WORD_MS * len(words)))
        world = self._world
        if world.faults.cannot_speak():
            failed = ev.PlaybackFailed
            world.after(30, lambda: self._fail(command.utterance, failed))
            return
        self._begin(self._now, world.chance.randint(*START_MS))

    def hold(self, command: HoldSpeech) -> None:
        now = self._known(command.utterance)
        if now is not None and not now.held:
            now.held = True
            self._stop(now)

    def resume(self, command: ResumeSpeech) -> None:
        now = self._known(command.utterance)
        if now is not None and now.held:
            now.held = False
            self._begin(now, STOP_MS)

    def cut(self, command: CutSpeech) -> None:
        now = self._known(command.utterance)
        if now is not None:
            if not now.held:
                self._stop(now)
            self._now = None

    # --- playback ---------------------------------------------------------------------------------------------------

    def _known(self, utterance: str) -> _Playing | None:
        return self._now if self._now is not None and self._now.id == utterance else None

    def _heard_ms(self, now: _Playing) -> int:
        running_ms = self._world.now_ms - now.running_since_ms if now.running_since_ms >= 0 else 0
        return min(now.total_ms, now.heard_ms + running_ms)

    def _begin(self, now: _Playing, delay_ms: int) -> None:
        now.run += 1
        run = now.run
        self._world.after(delay_ms, lambda: self._run(now, run))

    def _run(self, now: _Playing, run: int) -> None:
        if self._now is not now or now.run != run or now.held:
            return
        world = self._world
        now.running_since_ms = world.now_ms
        left_ms = now.total_ms - now.heard_ms
        if left_ms > MARK_MS:
            world.after(MARK_MS, lambda: self._mark(now, run))
        lost = world.faults.mark_lost()
        world.after(left_ms + (MARK_GRACE_MS if lost else 0), lambda: self._end(now, run, confirmed=not lost))
        if not now.started:
            now.started = True
            world.feed(ev.PlaybackStarted(world.now_ms, now.id))

    def _mark(self, now: _Playing, run: int) -> None:
        if self._now is not now or now.run != run or now.held:
            return
        world = self._world
        if not world.faults.mark_lost():
            world.feed(ev.PlaybackReached(world.now_ms, now.id, self._heard_ms(now), now.total_ms, True))
        if now.total_ms - self._heard_ms(now) > MARK_MS:
            world.after(MARK_MS, lambda: self._mark(now, run))

    def _end(self, now: _Playing, run: int, *, confirmed: bool) -> None:
        if self._now is now and now.run == run and not now.held:
            self._now = None
            self._world.feed(ev.PlaybackEnded(self._world.now_ms, now.id, confirmed))

    def _stop(self, now: _Playing) -> None:
        heard_ms = self._heard_ms(now)
        now.heard_ms, now.running_since_ms = heard_ms, -1
        now.run += 1
        heard = " ".join(now.words[: heard_ms // WORD_MS])
        world = self._world
        world.after(STOP_MS, lambda: world.feed(ev.PlaybackStopped(world.now_ms, now.id, heard_ms, heard)))

    def _fail(self, utterance: str, failed: type[ev.PlaybackFailed]) -> None:
        if self._known(utterance) is not None:
            self._now = None
            self._world.feed(failed(self._world.now_ms, utterance, "no engine", ""))
