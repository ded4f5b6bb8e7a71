"""Phrases made once, in the order of their urgency, by one or more programs at the same time, and kept.

What the next phrase of any call needs is made first (first phrases before second ones), once for all who wait for the
same words. A call that asks is never kept waiting for another call's long text.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import logging
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
from offhook.actors.audio.format import TELEPHONE, AudioFormat, whole_frames
from offhook.actors.contracts.errors import EngineAway

from .. import sound
from ..word_times import spread
from .phrasing import word_ends
from .program import Program, Rendered

log = logging.getLogger(__name__)

JOBS_MAX = 2_000  # phrases waiting to be made
CACHE_BYTES_MAX = 64 << 20  # two hours of telephone speech
TRIES = 2  # a phrase over which the program died is tried once more: it may not have been the phrase's fault
LEVEL_DB = -21.0  # voiced loudness: what callers' lines carry too, and 20 dB above a noisy one
TAIL_MS = 120  # silence after a phrase that ends a sentence; piper's own is 60 to 100 ms


class Phrase(NamedTuple):
    """One phrase: its audio (of a telephone's format: in whole frames), its words' ends in ms."""

    audio: bytes
    ends: tuple[tuple[str, int], ...]
    estimated: bool  # the program told no durations


class _Job:
    """A phrase that somebody waits for."""

    __slots__ = ("done", "form", "taken", "text", "waiting")

    def __init__(self, text: str, form: AudioFormat) -> None:
        self.text = text
        self.form = form
        self.done: asyncio.Future[Phrase] = asyncio.get_running_loop().create_future()
        self.taken = False  # it is being made
        self.waiting = 0


class PhraseQueue:
    """See this file's first lines."""

    def __init__(self, programs: list[Program]) -> None:
        self._programs = programs
        self._kept: OrderedDict[bytes, Phrase] = OrderedDict()
        self._kept_bytes = 0
        self._jobs: dict[bytes, _Job] = {}
        self._order: list[tuple[int, int, bytes]] = []  # (place in its utterance, number, key)
        self._number = 0
        self._work = asyncio.Semaphore(0)
        self._makers: list[asyncio.Task[None]] = []
        self._stopped = False
        self.made = 0
        self.found = 0

    async def start(self) -> None:
        """Start the programs."""
        await asyncio.gather(*(program.start() for program in self._programs))
        self._makers = [asyncio.create_task(self._work_on(program)) for program in self._programs]

    async def stop(self) -> None:
        """Stop the programs; who waits is told."""
        self._stopped = True
        for maker in self._makers:
            maker.cancel()
        for job in self._jobs.values():
            if not job.done.done():
                job.done.set_exception(EngineAway("the synthesizer stopped"))
        await asyncio.gather(*(program.stop() for program in self._programs))

    async def phrase(self, text: str, place: int, form: AudioFormat = TELEPHONE) -> Phrase:
        """One phrase; `place` is its place in its utterance: the smaller, the sooner.

        Raises:
            EngineAway: it cannot be made, or too many wait, or it was stopped.
        """
        if self._stopped:
            raise EngineAway("the synthesizer stopped")
        key = hashlib.sha256(f"{form.name} {text}".encode()).digest()
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            self.found += 1
            return kept
        job = self._jobs.get(key)
        if job is None:
            if len(self._jobs) >= JOBS_MAX:
                raise EngineAway(f"{JOBS_MAX} phrases wait already")
            job = self._jobs[key] = _Job(text, form)
        self._number += 1
        heapq.heappush(self._order, (place, self._number, key))  # asked for again, maybe more urgently
        self._work.release()
        job.waiting += 1
        try:
            return await asyncio.shield(job.done)
        finally:
            job.waiting -= 1

    async def _work_on(self, program: Program) -> None:
        while True:
            await self._work.acquire()
            _, _, key = heapq.heappop(self._order)
            job = self._jobs.get(key)
            if job is None or job.taken:  # asked for twice, and already made under the other number
                continue
            if not job.waiting:  # given up meanwhile
                self._jobs.pop(key).done.cancel()
                continue
            job.taken = True  # and kept in the table: who asks while it is made joins it
            try:
                phrase = await _make(program, job.text, job.form)
            except Exception as error:
                if not job.done.done():
                    job.done.set_exception(error if isinstance(error, EngineAway) else EngineAway(repr(error)))
                    job.done.exception()  # looked at: nobody may be waiting any more
                continue
            finally:
                self._jobs.pop(key, None)
            self.made += 1
            self._keep(key, phrase)
            if not job.done.done():
                job.done.set_result(phrase)

    def _keep(self, key: bytes, phrase: Phrase) -> None:
        self._kept[key] = phrase
        self._kept_bytes += len(phrase.audio)
        while self._kept_bytes > CACHE_BYTES_MAX:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1].audio)


async def _make(program: Program, text: str, form: AudioFormat) -> Phrase:
    for tried in range(1, TRIES + 1):
        try:
            rendered = await program.render(text)
            return await asyncio.to_thread(_finish, text, rendered, form)
        except EngineAway as fault:
            log.warning("a phrase was not made (try %d of %d): %s", tried, TRIES, fault)
            if tried == TRIES:
                raise
    raise AssertionError("TRIES is at least 1")


def _finish(text: str, rendered: Rendered, form: AudioFormat) -> Phrase:
    """To the rate, level and frames that are wanted, with word times."""
    rate_hz = form.rate_hz
    waves = sound.leveled(sound.resampled(rendered.waves, rendered.rate_hz, rate_hz), LEVEL_DB, rate_hz)
    ends = word_ends(text, rendered.phonemes)
    estimated = not ends
    if estimated:
        loud = np.flatnonzero(np.abs(waves) > 0.02)
        first, last = (float(loud[0]), float(loud[-1])) if loud.size else (0.0, float(waves.size))
        ends = spread(text.split(), first / rate_hz, last / rate_hz)
    tail = form.silence(TAIL_MS if text.rstrip("\"')]")[-1:] in ".!?…" else 0)
    audio = sound.audio_of(waves, form) + tail
    return Phrase(whole_frames(audio) if form == TELEPHONE else audio, tuple(ends), estimated)
