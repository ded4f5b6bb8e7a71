"""A synthesizer engine made of programs: the text is cut into phrases, each is made by a program, sound early.

Short first phrases make the first sound come early; a phrase that was made once is kept for all calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from offhook.actors.contracts.errors import OptionsRefused
from offhook.actors.engines.port import SynthesisOptions

from ..port import Speech, reads
from .phrase_queue import Phrase, PhraseQueue
from .phrasing import phrases
from .program import Program

WARMED_AT = 1_000  # behind everything that a call waits for


class PhraseSynthesizer:
    """A `SynthesizerEngine`.

    Args:
        name: of it, in what it says.
        make: makes a program; nothing of it runs before `start`.
        programs: how many phrases are made at the same time.
        voices: the names of its voice; "" is always one.
        languages: that it speaks; empty = not known, all are taken.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Program],
        programs: int = 1,
        voices: Sequence[str] = (),
        languages: Sequence[str] = (),
    ) -> None:
        self._name = name
        self._make = make
        self._programs = programs
        self._voices = voices
        self._languages = languages
        self._queue: PhraseQueue | None = None

    async def start(self) -> None:
        """Start the programs. Raises: StartFault: one does not."""
        self._queue = PhraseQueue([self._make() for _ in range(self._programs)])
        await self._queue.start()

    async def stop(self) -> None:
        """End the programs."""
        if self._queue is not None:
            await self._queue.stop()

    async def speak(self, text: str, options: SynthesisOptions) -> AsyncGenerator[Speech, None]:
        """See `SynthesizerEngine`."""
        self._check(options)
        assert self._queue is not None
        form = options.format
        parts = [asyncio.ensure_future(self._queue.phrase(part, at, form)) for at, part in enumerate(phrases(text))]
        offset = 0  # bytes
        try:
            for part in parts:
                phrase = await part
                begins_ms = form.ms_of(offset)
                words = tuple((word, begins_ms + end_ms) for word, end_ms in phrase.ends)
                offset += len(phrase.audio)
                yield Speech(phrase.audio, form, words, phrase.estimated)
        finally:
            for part in parts:
                part.cancel()
                part.add_done_callback(_looked_at)

    async def warm(self, texts: Sequence[str]) -> int:
        """See `SynthesizerEngine`: phrases of them, for telephones."""
        assert self._queue is not None
        asked = [
            self._queue.phrase(part, WARMED_AT + place) for text in texts for place, part in enumerate(phrases(text))
        ]
        made = await asyncio.gather(*asked, return_exceptions=True)
        return sum(isinstance(phrase, Phrase) for phrase in made)

    def stats(self) -> dict[str, int]:
        """Phrases that were made, and that were found made."""
        queue = self._queue
        return {"made": queue.made if queue else 0, "kept": queue.found if queue else 0}

    def _check(self, options: SynthesisOptions) -> None:
        if self._languages and not reads(options.language, self._languages):
            raise OptionsRefused(f"{self._name} speaks {', '.join(self._languages)}, not {options.language!r}")
        if options.voice and options.voice not in self._voices:
            known = ", ".join(self._voices) or "no other than its own"
            raise OptionsRefused(f"{self._name} has no voice {options.voice!r}; it has {known}")


def _looked_at(done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()
