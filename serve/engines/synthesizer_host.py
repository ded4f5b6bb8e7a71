"""The host of a synthesizer: links of calls, their utterances, limits and formats. What makes sound is the engine.

A call never gets half a text without being told, and whatever an engine tells of words, each has a time in the end:
where it tells of none, they share the sound by their letters, and that is marked.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing

from offhook.actors.audio.format import AudioFormat
from offhook.actors.contracts.engine_messages import TO_SYNTHESIZER, Cancel, Speak, Spoke, Spoken, Timing, Unspoken
from offhook.actors.contracts.errors import EngineAway, OptionsRefused
from offhook.actors.contracts.message import read
from offhook.actors.engines.port import SynthesisOptions
from offhook.actors.link.link import Array, Link

from .engine_server import EngineServer
from .port import Speech, SynthesizerEngine
from .sound import Converter
from .word_times import spread

log = logging.getLogger(__name__)

TEXT_CHARS_MAX = 10_000  # ten minutes of speech
UTTERANCES_PER_CALL_MAX = 32  # asked for and not yet sent
SOUND_BYTES_MAX = 256 << 10  # of one message; a link takes four times as much


class SynthesizerHost:
    """One link a call, `speak` and `cancel` in, `timing`, `sound`, `spoken` and `unspoken` out.

    Args:
        engine: what speaks.
        endpoint: where to listen (`unix:/path`); empty = a Unix socket of its own.
        token: a lasting token that calls present; empty = a new one.
        tcp: where to listen for other machines too (`tcp:host:port`); empty = nowhere.
    """

    def __init__(self, engine: SynthesizerEngine, endpoint: str = "", token: str = "", tcp: str = "") -> None:
        self.engine = engine
        self._server = EngineServer("synthesizer", endpoint, token, self._hello, tcp)

    async def start(self) -> None:
        """Start the engine and listen. Raises: StartFault: it does not start, or an address cannot be listened at."""
        await self.engine.start()
        await self._server.open()

    async def stop(self, drain_s: float = 0.0) -> None:
        """Close every link, `drain_s` from now at the latest, end the engine."""
        await self._server.drain(drain_s)
        await self._server.close()
        await self.engine.stop()

    def endpoint(self) -> dict[str, str]:
        """Where calls connect: {endpoint, tcp, token}."""
        return self._server.address()

    async def warm(self, texts: list[str]) -> int:
        """Have these texts made now, behind everything that a call waits for. Returns how many parts were."""
        return await self.engine.warm(texts)

    def stats(self) -> dict[str, int]:
        """Counts since the start; the engine's own beside them."""
        return {**self.engine.stats(), "calls": self._server.links}

    def _hello(self, link: Link, form: AudioFormat) -> None:
        _Speaker(self.engine, link, form)


class _Speaker:
    """One call's link: its utterances under way."""

    def __init__(self, engine: SynthesizerEngine, link: Link, form: AudioFormat) -> None:
        self._engine = engine
        self._link = link
        self._format = form
        self._speaking: dict[str, asyncio.Task[None]] = {}
        link.on_message = self._on_message
        closed = link.on_close

        def lost(gone: Link, reason: str) -> None:
            for task in self._speaking.values():
                task.cancel()
            if closed is not None:
                closed(gone, reason)

        link.on_close = lost

    def _on_message(self, link: Link, message: Array) -> None:
        match read(message, TO_SYNTHESIZER, link.newer):
            case Speak(id, text, voice, told):
                voice = voice if isinstance(voice, str) else ""
                options = SynthesisOptions.from_map(told if told is not None else {}, self._format, voice)
                self._speak(id, text, options)
            case Cancel(id):
                task = self._speaking.pop(id, None)
                if task is not None:
                    task.cancel()

    def _speak(self, id: str, text: str, options: SynthesisOptions) -> None:
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
            self._link.send(*Unspoken(id, refused))
            return
        task = self._speaking[id] = asyncio.create_task(self._utter(id, text, options))
        task.add_done_callback(lambda done: self._speaking.pop(id) if self._speaking.get(id) is done else None)

    async def _utter(self, id: str, text: str, options: SynthesisOptions) -> None:
        sending = _Sending(self._link, id, options.format)
        try:
            async with aclosing(self._engine.speak(text, options)) as pieces:
                async for piece in pieces:
                    sending.piece(piece)
            sending.end(text)
        except (EngineAway, OptionsRefused) as fault:
            self._link.send(*Unspoken(id, str(fault)))
        except Exception as error:
            log.exception("the synthesizer failed")
            self._link.send(*Unspoken(id, f"the synthesizer failed: {type(error).__name__}"))


class _Sending:
    """One utterance on its way to the call: times before their sound, in the call's format."""

    def __init__(self, link: Link, id: str, form: AudioFormat) -> None:
        self._link = link
        self._id = id
        self._format = form
        self._source: AudioFormat | None = None
        self._converter = Converter(form, form)
        self._size = 0  # bytes sent
        self._timed = False  # a word was told of

    def piece(self, piece: Speech) -> None:
        """One piece of it as the engine gave it."""
        if piece.format != self._source:
            self._send(self._converter.finish())
            self._source, self._converter = piece.format, Converter(piece.format, self._format)
        if piece.words:
            self._time([[word, end_ms] for word, end_ms in piece.words], piece.estimated)
        self._send(self._converter.feed(piece.audio))

    def end(self, text: str) -> None:
        """All of it is made."""
        self._send(self._converter.finish())
        length_ms = self._format.ms_of(self._size)
        if not self._timed and length_ms:
            self._time([[word, end_ms] for word, end_ms in spread(text.split(), 0.0, length_ms / 1_000)], True)
        self._link.send(*Spoken(self._id, length_ms))

    def _time(self, words: list[list[object]], estimated: bool) -> None:
        self._timed = True
        self._link.send(*Timing(self._id, words, int(estimated)))

    def _send(self, audio: bytes) -> None:
        self._size += len(audio)
        for at in range(0, len(audio), SOUND_BYTES_MAX):
            self._link.send(*Spoke(self._id, audio[at : at + SOUND_BYTES_MAX]))
