"""What a speech engine has to be: a recognizer or a synthesizer behind the host that calls connect to.

The host (`recognizer_host.py`, `synthesizer_host.py`) has the links, the limits, the formats and the flow; an engine
has the model. It is found by its entry point (`serve/config/plug_ins.py`): a function that takes the options of its
setting and returns one of these. `examples/engines` has one of each that is reached over a network, and
`offhook.testing.engine_conformance` what each must hold to. An engine imports this module and no other.

Everything runs on the host's event loop and must not keep it: work for a processor belongs into a thread or a process.
Errors are `OptionsRefused` (these options, never; the message says what it can do), `EngineAway` (not now; the call
tries again, elsewhere) and, from `start`, `StartFault`. Anything else is taken for a bug of the engine, and costs the
stream or the utterance in which it was raised.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from offhook.actors.audio.format import LINEAR16, MULAW, TELEPHONE, AudioFormat
from offhook.actors.contracts.errors import EngineAway, OptionsRefused
from offhook.actors.engines.port import RecognitionOptions, SynthesisOptions

from ..config.plug_ins import Options, check_options
from ..contracts.errors import SettingFault, StartFault

__all__ = [
    "LINEAR16", "MULAW", "TELEPHONE", "AudioFormat", "EngineAway", "Options", "OptionsRefused", "Reading",
    "RecognitionOptions", "RecognizerEngine", "RecognizerStream", "SettingFault", "Speech", "StartFault",
    "SynthesisOptions", "SynthesizerEngine", "Timed", "check_options", "reads",
]  # fmt: skip

Timed = tuple[str, int]  # a word as it stands in the text, and where it ends, in ms from the utterance's first sample


@dataclass(frozen=True, slots=True)
class Reading:
    """One segment of a stream as it is read now; times in ms from the stream's first sample.

    Segments are counted from 0 in the order in which they begin. Words that are not `final` are told again when they
    change; no text, and final: what was told of the segment is taken back.
    """

    segment: int
    text: str
    final: bool
    started_ms: int
    ended_ms: int


class RecognizerStream(Protocol):
    """One call's sound in a recognizer. Methods are called one after the other, never at once."""

    @property
    def format(self) -> AudioFormat:
        """What `feed` takes; the host converts. The stream chooses it, knowing the options' own."""
        ...

    @property
    def read_ms(self) -> int:
        """How far the sound is read, in ms from its first sample: of what lies before, nothing more is to come."""
        ...

    async def feed(self, audio: bytes) -> None:
        """More sound. Returns when the stream takes more; meanwhile the host puts together what comes in.

        Raises:
            EngineAway: the stream is lost.
        """
        ...

    async def skip(self, ms: int) -> None:
        """So much sound is missing here: what lies before it and after it does not belong together."""
        ...

    async def finish(self) -> None:
        """No more sound. Returns when the last words were pushed and the stream is gone."""
        ...

    async def cancel(self) -> None:
        """Nobody wants its words any more, also in the midst of a `feed`: nothing is pushed from here on. Returns when
        the stream is gone. Never raises."""
        ...


class RecognizerEngine(Protocol):
    """Reads words from sound, for many calls at once."""

    async def start(self) -> None:
        """Get ready. Raises: StartFault: it cannot; the message says what is missing and how to come by it."""
        ...

    async def stop(self) -> None:
        """End it. Streams that are open are cancelled before."""
        ...

    async def open(self, options: RecognitionOptions, push: Callable[[Reading], None]) -> RecognizerStream:
        """Begin a stream; `push` takes its words as they come, on the loop.

        Raises:
            OptionsRefused: not this language. EngineAway: not now.
        """
        ...

    def stats(self) -> dict[str, int]:
        """Counts since the start, by name."""
        ...


@dataclass(frozen=True, slots=True)
class Speech:
    """A piece of an utterance's sound, as it comes: any length, of whole samples.

    `words` may come before, with or after their sound, each once and in order; `estimated`: their times are guessed.
    An engine that tells no words at all has them estimated by the host.
    """

    audio: bytes
    format: AudioFormat
    words: tuple[Timed, ...] = ()
    estimated: bool = False


class SynthesizerEngine(Protocol):
    """Makes sound of text, for many calls at once."""

    async def start(self) -> None:
        """Get ready. Raises: StartFault: it cannot; the message says what is missing and how to come by it."""
        ...

    async def stop(self) -> None:
        """End it. Utterances under way are cancelled before."""
        ...

    def speak(self, text: str, options: SynthesisOptions) -> AsyncGenerator[Speech, None]:
        """The text's sound, piece by piece, in any one format; the host converts. Closed early, it makes no more.

        Raises (when it is asked for a piece):
            OptionsRefused: not this language, or no such voice. EngineAway: not now.
        """
        ...

    async def warm(self, texts: Sequence[str]) -> int:
        """Make and keep these texts before a call needs them; how many parts of them. 0 where nothing is kept."""
        ...

    def stats(self) -> dict[str, int]:
        """Counts since the start, by name."""
        ...


def reads(language: str, known: Sequence[str]) -> bool:
    """Whether a language (a BCP 47 tag) is one of these main languages ("en" for "en-US")."""
    return language.lower().replace("_", "-").split("-")[0] in known
