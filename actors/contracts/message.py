"""What a message of a link is: a tuple that begins with its name, declared as a class with typed fields.

    class Play(Message, name="play"):        link.send(*Play(epoch, sound))
        epoch: int                           said = read(message, FROM_CALL);  said.sound
        sound: bytes

A declared message is its array already, so nothing is converted when it is sent. What comes in is checked field by
field by a function that is made of the declaration at the first such message (`policies/core/layout.py`, with its rule
of growth: fields are added at the end with a default; who does not know one passes over it). Which messages there are
is `messages.py`'s matter.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, ClassVar, TypeVar, dataclass_transform

from offhook.policies.core.layout import CodecFault, Field, array_decoder

from .errors import ProtocolFault

M = TypeVar("M", bound="Message")


@dataclass_transform(frozen_default=True)
class Message(tuple[Any, ...]):
    """A message that is declared by a subclass: annotated fields in the order in which they lie in its array."""

    __slots__ = ()
    NAME: ClassVar[str]
    FIELDS: ClassVar[tuple[str, ...]]
    DEFAULTS: ClassVar[tuple[Any, ...]]  # of the last fields
    _decode: ClassVar[Callable[[list[Any]], Any] | None] = None

    def __init_subclass__(cls, name: str) -> None:
        names = tuple(cls.__annotations__)
        cls.NAME = name
        cls.FIELDS = names
        setattr(cls, "__match_args__", names)  # noqa: B010 - the type checker makes its own of the annotations
        cls.DEFAULTS = tuple(cls.__dict__[each] for each in names if each in cls.__dict__)
        for at, each in enumerate(names, start=1):
            setattr(cls, each, property(itemgetter(at)))

    def __new__(cls: type[M], *values: Any, **named: Any) -> M:
        """Raises TypeError: other fields than the declared ones; the type checker sees it first."""
        setattr(cls, "__new__", _maker(cls))  # noqa: B010 - this one is asked once: its own is three times as fast
        return cls(*values, **named)

    @property
    def fields(self) -> tuple[Any, ...]:
        """What stands behind the name."""
        return self[1:]

    @classmethod
    def of(cls: type[M], array: list[Any]) -> M:
        """The message that this array is; its name is not looked at.

        Raises:
            ProtocolFault: a field is missing or of the wrong type.
        """
        decode = cls.__dict__.get("_decode")
        if decode is None:
            decode = array_decoder(cls, cls._declared(), tagged=True, name=cls.NAME)
            cls._decode = staticmethod(decode)
        try:
            return typing.cast(M, decode(array))
        except CodecFault as fault:
            raise ProtocolFault(f"{cls.NAME}: {fault}") from None

    @classmethod
    def from_fields(cls: type[M], fields: Sequence[Any]) -> M:
        """The message whose name these fields would follow. Raises as `of` does."""
        return cls.of([cls.NAME, *fields])

    @classmethod
    def _declared(cls) -> list[Field]:
        hints, first = typing.get_type_hints(cls), len(cls.FIELDS) - len(cls.DEFAULTS)
        return [
            Field(name, hints[name], name, at >= first, cls.DEFAULTS[at - first] if at >= first else None)
            for at, name in enumerate(cls.FIELDS)
        ]


def _maker(kind: type[Message]) -> Callable[..., Any]:
    """A `__new__` with the fields as its arguments, as `namedtuple` makes one."""
    first = len(kind.FIELDS) - len(kind.DEFAULTS)
    defaults = dict(enumerate(kind.DEFAULTS, start=first))
    arguments = ", ".join(f"{name}=defaults[{at}]" if at in defaults else name for at, name in enumerate(kind.FIELDS))
    names = {"new": tuple.__new__, "defaults": defaults}
    source = f"def made(cls, {arguments}): return new(cls, ({kind.NAME!r}, {', '.join(kind.FIELDS)}))"
    exec(compile(source, f"<{kind.__name__}>", "exec"), names)
    return typing.cast(Callable[..., Any], names["made"])


Known = Mapping[str, type[Message]]  # by name


def among(*kinds: type[Message]) -> Known:
    """What one side of a link takes from the other."""
    return {kind.NAME: kind for kind in kinds}


def read(array: list[Any], known: Known, newer: bool = False) -> Message | None:
    """The declared message that an array is; None: none that is known here, and the peer is `newer`, so it may be.

    Raises:
        ProtocolFault: it is none of those that are known, or a field of it is missing or of the wrong type.
    """
    name = array[0]
    kind = known.get(name) if name.__class__ is str else None
    if kind is not None:
        return kind.of(array)
    if newer and name.__class__ is str:
        return None
    raise ProtocolFault(f"{str(name)[:40]!r} is not sent here; what is taken: {', '.join(known)}")
