"""Where the voice's sound comes from: the reconnecting client of a speech engine, and `none`.

An engine that is lost, hangs or refuses costs the call a pause at most: the utterance is asked again from the first
word that is not here, of the same engine when it is back or of the next, and of the `fallback` when none is. A message
that is none costs the utterance that it is about, and no other. How sound is kept is `audio/sound.py`'s matter, how it
is sent `voice/voice.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from offhook.policies.core.events import Event, HealthChanged

from ..audio.format import BYTES_PER_S, TELEPHONE
from ..audio.sound import SOUND_MS_MAX, Sound, Word
from ..contracts.engine_messages import (
    TO_CALL_FROM_SYNTHESIZER,
    Cancel,
    EngineHello,
    Speak,
    Spoke,
    Timing,
    Unspoken,
)
from ..contracts.errors import ProtocolFault
from ..contracts.message import Message, read
from ..contracts.messages import PROTOCOL
from ..link.link import Array, Link
from ..link.reconnect import Endpoint, Reconnect
from ..process.clock import Clock
from .conduct import Conduct
from .port import STOCK_SYNTHESIS, SynthesisOptions, Synthesizer

PART = "synthesizer"
PATIENCE_MS = 3_000  # without the next sound of an unfinished utterance; a busy engine may take two seconds
ASKS_MAX = 8  # utterances asked for at one time; a call speaks one, and one more may follow a cut
WORDS_MAX = 5_000  # timed in one message; an utterance of half an hour
WORD_CHARS_MAX = 200
REASON_CHARS_MAX = 200


class NoSynthesizer:
    """No engine: every utterance fails, the call goes on in silence."""

    used_s = 0.0
    refused = 0

    def speak(self, utterance: str, sound: Sound) -> None:
        """See `Synthesizer`."""
        sound.fail(f"{utterance}: this call has no synthesizer")

    def speak_by(self, options: SynthesisOptions) -> None:
        """See `Synthesizer`."""

    def cancel(self, utterance: str) -> None:
        """See `Synthesizer`."""

    def close(self) -> None:
        """See `Synthesizer`."""


class _Ask:
    """An utterance that an engine is asked for."""

    __slots__ = ("base_ms", "sound", "text", "tries", "utterance", "watch", "wire_id")

    def __init__(self, utterance: str, sound: Sound) -> None:
        self.utterance = utterance
        self.sound = sound
        self.text = sound.text
        self.base_ms = 0  # where this asking's sound begins in the utterance
        self.tries = 0
        self.wire_id = ""  # "" = not asked of an engine now
        self.watch: asyncio.TimerHandle | None = None


class SynthesisClient:
    """Asks a speech engine over the link. Needs a running loop.

    Args:
        endpoints: (endpoint, token) of the engines, the preferred one first.
        emit: takes HealthChanged("synthesizer", ...) when the engine goes and comes back.
        clock: stamps it.
        options: by which it speaks.
        fallback: speaks what no engine does; None = such an utterance fails.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        emit: Callable[[Event], None],
        clock: Clock,
        options: SynthesisOptions = STOCK_SYNTHESIS,
        fallback: Synthesizer | None = None,
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._options = options
        self.fallback = fallback
        self._asks: dict[str, _Ask] = {}  # by utterance
        self._by_wire: dict[str, _Ask] = {}
        self.used_s = 0.0
        self._conduct = Conduct()
        self._reconnect = Reconnect(
            endpoints, self._opened, self._message, self._lost, EngineHello(TELEPHONE.name, PROTOCOL).fields
        )
        self._reconnect.start()

    @property
    def up(self) -> bool:
        """An engine is connected, or has not been found missing yet."""
        return self._reconnect.up

    @property
    def refused(self) -> int:
        """See `Synthesizer`."""
        return self._conduct.refused

    def redirect(self, endpoints: Sequence[Endpoint]) -> None:
        """The engines have moved; a link that is open stays."""
        self._reconnect.redirect(endpoints)

    def speak(self, utterance: str, sound: Sound) -> None:
        """See `Synthesizer`."""
        if len(self._asks) >= ASKS_MAX:
            sound.fail(f"{len(self._asks)} utterances are being asked for already")
            return
        ask = _Ask(utterance, sound)
        self._asks[utterance] = ask
        self._ask(ask)

    def speak_by(self, options: SynthesisOptions) -> None:
        """See `Synthesizer`."""
        self._options = options

    def cancel(self, utterance: str) -> None:
        """See `Synthesizer`."""
        ask = self._asks.get(utterance)
        if ask is not None:
            self._cancel_on_wire(ask)
            self._done(ask)
        elif self.fallback is not None:
            self.fallback.cancel(utterance)

    def close(self) -> None:
        """See `Synthesizer`."""
        self._reconnect.stop()
        for ask in list(self._asks.values()):
            self._done(ask)
        if self.fallback is not None:
            self.fallback.close()

    # --- one asking -------------------------------------------------------------------------------------------------

    def _ask(self, ask: _Ask) -> None:
        """Ask the engine, or wait for it; `_impatient` ends either."""
        link = self._reconnect.link
        if link is None and not self._reconnect.up:
            self._fall_back(ask, "no speech engine can be reached")
            return
        self._watch(ask)
        if link is not None:
            ask.tries += 1
            ask.wire_id = ask.utterance if ask.tries == 1 else f"{ask.utterance}~{ask.tries}"
            self._by_wire[ask.wire_id] = ask
            options = self._options
            link.send(*Speak(ask.wire_id, ask.text, options.voice, options.as_map()))

    def _fall_back(self, ask: _Ask, reason: str) -> None:
        """Have the rest of it spoken by the fallback, or give it up."""
        self._done(ask)
        base_ms, rest = ask.sound.rest()
        if self.fallback is None or not rest:
            ask.sound.fail(reason)
            return
        if not base_ms:
            self.fallback.speak(ask.utterance, ask.sound)
            return
        tail = Sound(rest)
        self.fallback.speak(ask.utterance, tail)
        _append(tail, ask.sound, base_ms)

    def _watch(self, ask: _Ask) -> None:
        if ask.watch is not None:
            ask.watch.cancel()
        ask.watch = asyncio.get_running_loop().call_later(PATIENCE_MS / 1_000, self._impatient, ask)

    def _impatient(self, ask: _Ask) -> None:
        self._cancel_on_wire(ask)
        self._fall_back(ask, f"the speech engine sent nothing for {PATIENCE_MS} ms")

    def _cancel_on_wire(self, ask: _Ask) -> None:
        if ask.wire_id and self._reconnect.link is not None:
            self._reconnect.link.send(*Cancel(ask.wire_id))

    def _done(self, ask: _Ask) -> None:
        self._asks.pop(ask.utterance, None)
        self._by_wire.pop(ask.wire_id, None)
        if ask.watch is not None:
            ask.watch.cancel()

    # --- the engine -------------------------------------------------------------------------------------------------

    def _opened(self, _link: Link) -> None:
        if self._reconnect.was_down:
            self._emit(HealthChanged(self._clock.now_ms(), PART, True))
        self._conduct.new_link()
        for ask in list(self._asks.values()):
            self._ask(ask)

    def _lost(self, _reason: str) -> None:
        self._emit(HealthChanged(self._clock.now_ms(), PART, False))
        self._by_wire.clear()
        for ask in list(self._asks.values()):
            ask.wire_id = ""
            ask.base_ms, ask.text = ask.sound.rest()
            if not ask.text:
                self._fall_back(ask, "the speech engine was lost in the middle of an utterance without word times")

    def _message(self, _link: Link, message: Array) -> None:
        name, about = message[0], message[1] if len(message) > 1 else None
        kind = TO_CALL_FROM_SYNTHESIZER.get(name) if isinstance(name, str) else None
        if kind is None or len(message) <= len(kind.FIELDS) - len(kind.DEFAULTS) or not isinstance(about, str):
            self._refuse()  # about no utterance that it names: whoever waits in vain has its own patience
            return
        ask = self._by_wire.get(about)
        if ask is None:
            return  # cancelled meanwhile
        try:
            self._told(ask, read(message, TO_CALL_FROM_SYNTHESIZER))
        except ProtocolFault as fault:
            self._cancel_on_wire(ask)
            self._fall_back(ask, f"the speech engine sent {fault}")
            self._refuse()
        else:
            self._conduct.good()

    def _told(self, ask: _Ask, message: Message | None) -> None:
        """Take in what an engine says of one utterance. Raises: ProtocolFault: something is wrong with it."""
        match message:
            case Spoke(_, sound):
                self._watch(ask)
                ask.sound.add(sound)
                self.used_s += len(sound) / BYTES_PER_S
            case Timing():
                words = _words(message.words)
                if words is None:
                    raise ProtocolFault("times of words that are none")
                ask.sound.time(words, ask.base_ms, estimated=bool(message.estimated))
            case Unspoken():
                self._fall_back(ask, str(message.reason)[:REASON_CHARS_MAX])
            case _:
                if not ask.sound.length_ms and any(map(str.isalnum, ask.text)):
                    raise ProtocolFault("no sound at all")
                self._done(ask)
                ask.sound.finish()

    def _refuse(self) -> None:
        if self._conduct.refuse():
            self._reconnect.leave("the synthesizer is left: most of what it sends is none of its messages")


def _words(told: object) -> list[Word] | None:
    """The words of a "timing" message, whole or not at all."""
    if not isinstance(told, list) or len(told) > WORDS_MAX:
        return None
    words: list[Word] = []
    for entry in told:
        match entry:
            case [str(word), int() | float() as end_ms] if len(word) <= WORD_CHARS_MAX and 0 <= end_ms <= SOUND_MS_MAX:
                words.append((word, int(end_ms)))
            case _:
                return None
    return words


def _append(tail: Sound, sound: Sound, base_ms: int) -> None:
    """Put a sound that is complete at once (a source's) behind another."""
    sound.time(tail.timed, base_ms)
    sound.add(tail.slice(0, tail.length_ms))
    if tail.failed:
        sound.fail(tail.failed)
    else:
        sound.finish()
