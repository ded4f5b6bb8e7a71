"""The call's side of speech engines: what a call asks of its recognizer and its synthesizer, and with which options.

What an engine has to be, is in `serve/engines/port.py`; how both speak over a link, in `recognition.py`,
`synthesis.py` and `contracts/engine_messages.py`.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, Self, TypeVar

from offhook.policies.core.policy import Speech

from ..audio.format import TELEPHONE, AudioFormat
from ..audio.sound import Sound
from ..contracts.errors import ProtocolFault, WrongSound

LANGUAGE_CHARS_MAX = 35  # of a language tag, RFC 5646 4.4.1
VOICE_CHARS_MAX = 200
HINTS_MAX = 200  # words and names that are likely to be said
HINT_CHARS_MAX = 100
TENANT_CHARS_MAX = 200
FORMAT_CHARS_MAX = 40  # of a format's name; the longest has 20

_Value = TypeVar("_Value")
_MOST = "most"
_ABSENT = object()


def _option(default: _Value, most: int = 0) -> _Value:
    """An option with its default; `most`: characters of a text, or hints."""
    return field(default=default, metadata={_MOST: most})


class _Options:
    """How options lie in a map, under their names: one line declares one, here is how each type is written and read."""

    __slots__ = ()

    def as_map(self) -> dict[str, object]:
        """Plain values, for the link."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(typing.cast(Any, self))}

    @classmethod
    def _read(cls, raw: object, link: AudioFormat) -> Self:
        if not isinstance(raw, Mapping):
            raise ProtocolFault(f"options are a map, not {type(raw).__name__}")
        told: dict[str, Any] = {}
        for each in fields(typing.cast(Any, cls)):
            read = _READERS[type(each.default)]
            told[each.name] = read(each.name, raw.get(each.name, _ABSENT), each.default, each.metadata[_MOST], link)
        return cls(**told)


@dataclass(frozen=True, slots=True)
class RecognitionOptions(_Options):
    """How one stream is to be read.

    `language`: a BCP 47 tag; `hints`: words and names that are likely to be said, the likeliest first; `format`: of the
    sound that is sent; `tenant`: whose call it is.
    """

    language: str = _option("en", LANGUAGE_CHARS_MAX)
    hints: tuple[str, ...] = _option((), HINTS_MAX)
    format: AudioFormat = _option(TELEPHONE)
    tenant: str = _option("", TENANT_CHARS_MAX)

    @classmethod
    def of(cls, speech: Speech, tenant: str) -> RecognitionOptions:
        """What a policy asks for."""
        return cls(speech.language, speech.hints, TELEPHONE, tenant)

    @classmethod
    def from_map(cls, raw: object, link: AudioFormat = TELEPHONE) -> RecognitionOptions:
        """What `as_map` made, of this release or another: unknown fields are ignored, missing ones have their default.

        Args:
            link: the format that the link's hello named.

        Raises:
            ProtocolFault: a field of the wrong type or over its limit, or a format that is none.
        """
        return cls._read(raw, link)


@dataclass(frozen=True, slots=True)
class SynthesisOptions(_Options):
    """How one text is to be spoken.

    `voice`: the engine's own name of it, "" = its default; `language`: a BCP 47 tag; `format`: of the sound that is
    wanted; `tenant`: whose call it is.
    """

    voice: str = _option("", VOICE_CHARS_MAX)
    language: str = _option("en", LANGUAGE_CHARS_MAX)
    format: AudioFormat = _option(TELEPHONE)
    tenant: str = _option("", TENANT_CHARS_MAX)

    @classmethod
    def of(cls, speech: Speech, tenant: str, voice: str = "") -> SynthesisOptions:
        """What a policy asks for; `voice` is the installation's, for a policy that names none."""
        return cls(speech.voice or voice, speech.language, TELEPHONE, tenant)

    @classmethod
    def from_map(cls, raw: object, link: AudioFormat = TELEPHONE, voice: str = "") -> SynthesisOptions:
        """As `RecognitionOptions.from_map`; `voice` stands for a voice that the map does not name."""
        options = cls._read(raw, link)
        return options if options.voice or not voice else replace(options, voice=voice[:VOICE_CHARS_MAX])


STOCK_RECOGNITION = RecognitionOptions()
STOCK_SYNTHESIS = SynthesisOptions()


class Recognizer(Protocol):
    """Reads words from the caller's audio. Words come as events.

    `used_s`: seconds of audio that an engine has had; `wordless_ms`: of speech in which it may say nothing.
    """

    used_s: float
    wordless_ms: int

    @property
    def refused(self) -> int:
        """Messages of an engine that were none."""
        ...

    def feed(self, audio: bytes, at_ms: int) -> None:
        """Mu-law audio whose last sample is heard at `at_ms` on the call's clock. Never waits, never raises."""
        ...

    def flush(self) -> None:
        """Send what waits for a whole batch, and ask when it is read: the caller has just stopped speaking."""
        ...

    def speech(self, onset_ms: int, voiced_ms: int) -> None:
        """The talkspurt of this onset has so much voice by now: there is something to read."""
        ...

    def place(self) -> tuple[int, int, int]:
        """How far the words have come, for the call's next owner: (end of the last final words in ms, highest segment,
        the segment that is not final or -1)."""
        ...

    def go_on(self, final_ms: int, segment: int, open_segment: int) -> None:
        """A former owner came so far: audio before `final_ms` is not read again, segment numbers go on."""
        ...

    def read_by(self, options: RecognitionOptions) -> None:
        """Another policy leads the call: what is not final yet is read by these options, and all that follows."""
        ...

    def close(self) -> None:
        """The call is over."""
        ...


class Synthesizer(Protocol):
    """Makes sound of text. `used_s`: seconds of sound that an engine has made."""

    used_s: float

    @property
    def refused(self) -> int:
        """Messages of an engine that were none."""
        ...

    def speak(self, utterance: str, sound: Sound) -> None:
        """Fill `sound` with `sound.text`, now or as it comes, and complete it: `finish` or `fail`. Never raises."""
        ...

    def speak_by(self, options: SynthesisOptions) -> None:
        """Another policy leads the call: what is asked for from now on is spoken by these options."""
        ...

    def cancel(self, utterance: str) -> None:
        """The rest of it is not needed."""
        ...

    def close(self) -> None:
        """Nothing will be asked any more."""
        ...


def _plain(value: object) -> object:
    if isinstance(value, AudioFormat):
        return value.name
    return list(value) if isinstance(value, tuple) else value


def _text(name: str, value: object, default: str, most: int, _link: AudioFormat) -> str:
    value = default if value is _ABSENT else value
    if not isinstance(value, str) or len(value) > most:
        raise ProtocolFault(f"the option {name} is a text of {most} characters at most")
    return value


def _hints(name: str, value: object, default: tuple[str, ...], most: int, _link: AudioFormat) -> tuple[str, ...]:
    value = default if value is _ABSENT else value
    if not isinstance(value, list | tuple) or len(value) > most:
        raise ProtocolFault(f"the option {name} is a list of {most} texts at most")
    for hint in value:
        if not isinstance(hint, str) or len(hint) > HINT_CHARS_MAX:
            raise ProtocolFault(f"one of the option {name} is a text of {HINT_CHARS_MAX} characters at most")
    return tuple(value)


def _format(name: str, value: object, _default: AudioFormat, _most: int, link: AudioFormat) -> AudioFormat:
    told = _text(name, value, "", FORMAT_CHARS_MAX, link)
    try:
        return AudioFormat.named(told) if told else link
    except WrongSound as fault:
        raise ProtocolFault(str(fault)) from fault


# By the class of the option's default.
_READERS: Mapping[type, Callable[..., Any]] = {str: _text, tuple: _hints, AudioFormat: _format}
