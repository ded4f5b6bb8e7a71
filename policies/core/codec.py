"""Codec: events, commands, proposals, verdicts and states as plain arrays, ready for msgpack or JSON, and back.

    encode(Say("u1", "Hello.", Purpose.GREETING, True, "g1"))  ->  ["Say", "u1", "Hello.", "greeting", True, "g1"]

The first element of an encoded object is its class's name; the rest are its fields in order. A field whose class is
known from the annotation (a `Proposal` inside `AgentAnswered`, a `Floor` inside `CallState`) carries no tag. How fields
lie, are checked, and may be added is `layout.py`'s matter; what the arrays mean is not this file's.

An encoder and a decoder are compiled per class on first use, as `dataclasses` compiles `__init__`: the journal encodes
every event of every call, and a call process must not pay at import for classes that it never meets.
"""

from __future__ import annotations

import dataclasses
import types
from typing import Any

from . import commands, events, proposals, signals, state
from .layout import CodecFault as CodecFault
from .layout import Decoder, Encoder, array_decoder, array_encoder
from .layout import plain as plain


def _dataclasses_of(module: types.ModuleType) -> dict[str, type]:
    """The dataclasses that a module defines (not those that it imports), by name."""
    return {
        name: kind
        for name, kind in vars(module).items()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__
    }


TAGS: dict[str, type] = {
    **_dataclasses_of(events),
    **_dataclasses_of(commands),
    **_dataclasses_of(proposals),
    **_dataclasses_of(signals),
    **_dataclasses_of(state),
}
for _base in ("Event", "Command"):
    del TAGS[_base]

_TAGGED = frozenset(TAGS.values())

_encoders: dict[type, Encoder] = {}
_decoders: dict[str, Decoder] = {}


def encode(thing: Any) -> list[Any]:
    """An event, command, proposal, verdict, grant or state as an array of plain values; `decode` gives it back.

    Raises:
        CodecFault: an object of a class that has no tag.
    """
    kind: type = thing.__class__
    encoder = _encoders.get(kind)
    if encoder is None:
        if kind not in _TAGGED:
            raise CodecFault(f"{kind.__name__} cannot be encoded; known are {', '.join(sorted(TAGS))}")
        encoder = _encoders[kind] = array_encoder(kind, tagged=True)
    array: list[Any] = encoder(thing)
    return array


def decode(array: list[Any]) -> Any:
    """The object that `encode` made this array from.

    Raises:
        CodecFault: not an array, an unknown tag, a field too few, or a field of the wrong type.
    """
    if array.__class__ is not list or not array or array[0].__class__ is not str:
        raise CodecFault(f"an encoded object is an array that begins with a name, got {array!r:.80}")
    decoder = _decoders.get(array[0])
    if decoder is None:
        kind = TAGS.get(array[0])
        if kind is None:
            raise CodecFault(f"unknown tag {array[0]!r:.80}; known are {', '.join(sorted(TAGS))}")
        decoder = _decoders[array[0]] = array_decoder(kind, tagged=True)
    return decoder(array)
