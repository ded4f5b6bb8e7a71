"""The synthesizer: texts in over the link, telephone sound with word times out, phrase by phrase.

An engine for many calls: what the next phrase of any call needs is made in the order of its urgency (first phrases
first), once for all who wait for the same words, and kept. The program that makes the sound is `piper_program.py`.
A call that asks is never kept waiting for another call's long text, and never gets half a text without being told.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from offhook.actors.audio.format import BYTES_PER_MS, RATE_HZ, TELEPHONE, whole_frames
from offhook.actors.contracts import wire
from offhook.actors.contracts.errors import EngineAway, ProtocolFault
from offhook.actors.link.link import Link, Message

from . import sound
from .engine_server import EngineServer
from .phrasing import phrases, spread, word_ends
from .piper_program import PiperProgram, Rendered
from .voice_file import stock_voice

log = logging.getLogger(__name__)

TEXT_CHARS_MAX = 10_000  # ten minutes of speech
UTTERANCES_PER_CALL_MAX = 32  # asked for and not yet sent
JOBS_MAX = 2_000  # phrases waiting to be made
CACHE_BYTES_MAX = 64 << 20  # two hours of telephone speech
TRIES = 2  # a phrase over which the program died is tried once more: it may not have been the phrase's fault
LEVEL_DB = -21.0  # voiced loudness: what callers' lines carry too, and 20 dB above a noisy one
TAIL_MS = 120  # silence after a phrase that ends a sentence; piper's own is 60 to 100 ms


class Program(Protocol):
    """Makes the sound of one phrase at a time."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def render(self, text: str) -> Rendered: ...


class Phrase(NamedTuple):
    """One phrase, ready for the line: whole frames of mu-law, and its words' ends in ms."""

    coded: bytes
    ends: tuple[tuple[str, int], ...]


class _Job:
    """A phrase that somebody waits for."""

    __slots__ = ("done", "taken", "text", "waiting")

    def __init__(self, text: str) -> None:
        self.text = text
        self.done: asyncio.Future[Phrase] = asyncio.get_running_loop().create_future()
        self.taken = False  # it is being made
        self.waiting = 0


class Kitchen:
    """Phrases made once, in the order of their urgency, by `programs` at the same time, and kept."""

    def __init__(self, programs: list[Program]) -> None:
        self._programs = programs
        self._kept: OrderedDict[bytes, Phrase] = OrderedDict()
        self._kept_bytes = 0
        self._jobs: dict[bytes, _Job] = {}
        self._order: list[tuple[int, int, bytes]] = []  # (place in its utterance, number, key)
        self._number = 0
        self._work = asyncio.Semaphore(0)
        self._cooks: list[asyncio.Task[None]] = []
        self.made = 0
        self.found = 0

    async def start(self) -> None:
        """Start the programs."""
        await asyncio.gather(*(program.start() for program in self._programs))
        self._cooks = [asyncio.create_task(self._cook(program)) for program in self._programs]

    async def stop(self) -> None:
        """Stop the programs; who waits is told."""
        for cook in self._cooks:
            cook.cancel()
        for job in self._jobs.values():
            if not job.done.done():
                job.done.set_exception(EngineAway("the synthesizer stopped"))
        await asyncio.gather(*(program.stop() for program in self._programs))

    async def phrase(self, text: str, place: int) -> Phrase:
        """One phrase; `place` is its place in its utterance: the smaller, the sooner.

        Raises:
            EngineAway: it cannot be made, or too many wait.
        """
        key = hashlib.sha256(text.encode()).digest()
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            self.found += 1
            return kept
        job = self._jobs.get(key)
        if job is None:
            if len(self._jobs) >= JOBS_MAX:
                raise EngineAway(f"{JOBS_MAX} phrases wait already")
            job = self._jobs[key] = _Job(text)
        self._number += 1
        heapq.heappush(self._order, (place, self._number, key))  # asked for again, maybe more urgently
        self._work.release()
        job.waiting += 1
        try:
            return await asyncio.shield(job.done)
        finally:
            job.waiting -= 1

    async def _cook(self, program: Program) -> None:
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
                phrase = await _make(program, job.text)
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
        self._kept_bytes += len(phrase.coded)
        while self._kept_bytes > CACHE_BYTES_MAX:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1].coded)


async def _make(program: Program, text: str) -> Phrase:
    for tried in range(1, TRIES + 1):
        try:
            rendered = await program.render(text)
            return await asyncio.to_thread(_finish, text, rendered)
        except EngineAway as fault:
            log.warning("a phrase was not made (try %d of %d): %s", tried, TRIES, fault)
            if tried == TRIES:
                raise
    raise AssertionError("TRIES is at least 1")


def _finish(text: str, rendered: Rendered) -> Phrase:
    """To telephone rate, level and frames, with word times."""
    waves = sound.leveled(sound.resampled(rendered.waves, rendered.rate_hz, RATE_HZ), LEVEL_DB)
    ends = word_ends(text, rendered.phonemes)
    if not ends:
        loud = np.flatnonzero(np.abs(waves) > 0.02)
        first, last = (float(loud[0]), float(loud[-1])) if loud.size else (0.0, float(waves.size))
        ends = spread(text.split(), first / RATE_HZ, last / RATE_HZ)
    tail = TELEPHONE.silence(TAIL_MS if text.rstrip("\"')]")[-1:] in ".!?…" else 0)
    return Phrase(whole_frames(sound.audio_of(waves, TELEPHONE) + tail), tuple(ends))


class Synthesizer:
    """The engine: one link a call, `speak` and `cancel` in, `timing`, `sound`, `spoken` and `unspoken` out.

    Args:
        endpoint: where to listen (`unix:/path`); empty = a Unix socket of its own.
        token: a lasting token that calls present; empty = a new one.
        programs: how many phrases are made at the same time.
        voice: a piper voice file; empty = the installed one.
        make: a program factory, for tests and other engines.
        tcp: where to listen for other machines too (`tcp:host:port`); empty = nowhere.
    """

    def __init__(
        self,
        endpoint: str = "",
        token: str = "",
        programs: int = 1,
        voice: str = "",
        make: Callable[[], Program] | None = None,
        tcp: str = "",
    ) -> None:
        self._server = EngineServer("synthesizer", endpoint, token, self._hello, tcp)
        self._programs = programs
        self._make = make or (lambda: PiperProgram(Path(voice) if voice else stock_voice()))
        self._kitchen: Kitchen | None = None

    async def start(self) -> None:
        """Start the programs and listen. Raises: StartFault: an address cannot be listened at."""
        self._kitchen = Kitchen([self._make() for _ in range(self._programs)])
        await self._kitchen.start()
        await self._server.open()

    async def stop(self, drain_s: float = 0.0) -> None:
        """Close every link, `drain_s` from now at the latest, end the programs."""
        await self._server.drain(drain_s)
        await self._server.close()
        if self._kitchen is not None:
            await self._kitchen.stop()

    def endpoint(self) -> dict[str, str]:
        """Where calls connect: {endpoint, tcp, token}."""
        return self._server.address()

    async def warm(self, texts: list[str]) -> int:
        """Make and keep these texts now, behind everything that a call waits for. Returns how many could be made."""
        assert self._kitchen is not None
        asked: list[Awaitable[Phrase]] = [
            self._kitchen.phrase(part, 1_000 + place) for text in texts for place, part in enumerate(phrases(text))
        ]
        made = await asyncio.gather(*asked, return_exceptions=True)
        return sum(isinstance(phrase, Phrase) for phrase in made)

    def stats(self) -> dict[str, int]:
        """Counts since the start."""
        kitchen = self._kitchen
        return {
            "calls": self._server.links,
            "made": kitchen.made if kitchen else 0,
            "kept": kitchen.found if kitchen else 0,
        }

    def _hello(self, link: Link) -> None:
        _Speaker(link, self._kitchen)


class _Speaker:
    """One call's link: its utterances under way."""

    def __init__(self, link: Link, kitchen: Kitchen | None) -> None:
        assert kitchen is not None
        self._link = link
        self._kitchen = kitchen
        self._speaking: dict[str, asyncio.Task[None]] = {}
        link.on_message = self._on_message
        closed = link.on_close

        def lost(gone: Link, reason: str) -> None:
            for task in self._speaking.values():
                task.cancel()
            if closed is not None:
                closed(gone, reason)

        link.on_close = lost

    def _on_message(self, _link: Link, message: Message) -> None:
        match message:
            case [wire.SPEAK, str(id), str(text), *_]:
                self._speak(id, text)
            case [wire.CANCEL, str(id), *_]:
                task = self._speaking.pop(id, None)
                if task is not None:
                    task.cancel()
            case _:
                raise ProtocolFault(f"a synthesizer takes speak and cancel, not {str(message[0])[:40]!r} in this form")

    def _speak(self, id: str, text: str) -> None:
        refused = ""
        if id in self._speaking:
            refused = "an utterance of this id is under way"
        elif not text.strip():
            refused = "there is nothing to say"
        elif len(text) > TEXT_CHARS_MAX:
            refused = f"{len(text)} characters, the limit is {TEXT_CHARS_MAX}"
        elif len(self._speaking) >= UTTERANCES_PER_CALL_MAX:
            refused = f"{UTTERANCES_PER_CALL_MAX} utterances are under way already"
        if refused:
            self._link.send(wire.UNSPOKEN, id, refused)
            return
        task = self._speaking[id] = asyncio.create_task(self._utter(id, text))
        task.add_done_callback(lambda done: self._speaking.pop(id) if self._speaking.get(id) is done else None)

    async def _utter(self, id: str, text: str) -> None:
        parts = [asyncio.ensure_future(self._kitchen.phrase(part, at)) for at, part in enumerate(phrases(text))]
        offset_ms = 0
        try:
            for part in parts:
                phrase = await part
                self._link.send(wire.TIMING, id, [[word, offset_ms + end_ms] for word, end_ms in phrase.ends])
                self._link.send(wire.SOUND, id, phrase.coded)
                offset_ms += len(phrase.coded) // BYTES_PER_MS
            self._link.send(wire.SPOKEN, id, offset_ms)
        except EngineAway as fault:
            self._link.send(wire.UNSPOKEN, id, str(fault))
        finally:
            for part in parts:
                part.cancel()
                part.add_done_callback(_looked_at)


def _looked_at(done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()
