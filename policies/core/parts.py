"""Parts: the immutable values that events, commands, proposals and the state of a call are made of.

    @part                                   state.floor = replace(state.floor, holder=Holder.CALLER)
    class Floor: ...                        state.floor.holder = ...   ->  an error of the type checker

What belongs here is how a part is made and changed, nothing of what it holds. A part is replaced, never edited: mypy
takes it for a frozen dataclass and refuses every assignment, and `tests/property/test_machine.py` sees that no step
edits the state that it was given. At run time nothing guards it, because the guard has a price: a frozen dataclass of
sixteen fields takes 2.2 us to build and 4.3 us to `dataclasses.replace`, a plain one 0.5 us to build and, copied slot
by slot, 0.3 us to replace; a call builds about ten in every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def part(kind: type[T]) -> type[T]:
    """Class decorator: a dataclass with slots, compared and hashed by its fields, that nobody edits."""
    return dataclass(slots=True, unsafe_hash=True)(kind)


if TYPE_CHECKING:  # the checker knows which fields and types `dataclasses.replace` takes, and ours takes the same
    from dataclasses import replace as replace
else:

    def replace(changing: T, /, **changes: Any) -> T:
        """A copy of a part with some fields changed; unlike `dataclasses.replace`, it looks at no other field twice.

        Raises:
            AttributeError: the part has no such field.
        """
        copy = _CLONERS[changing.__class__](changing)
        for name, value in changes.items():
            setattr(copy, name, value)
        return copy


def clone(thing: T) -> T:
    """A shallow copy of a part, or of a whole made of parts."""
    copy: T = _CLONERS[thing.__class__](thing)
    return copy


class _Cloners(dict[type, Callable[[Any], Any]]):
    """How all fields of a class are copied; compiled where it is missing.

    Slot by slot, as `dataclasses` compiles `__init__`: a call with thirty arguments costs three times as much.
    """

    def __missing__(self, kind: type) -> Callable[[Any], Any]:
        names = tuple(kind.__dataclass_fields__)  # type: ignore[attr-defined]
        lines = ["def run(old):", "    new = make(kind)", *[f"    new.{name} = old.{name}" for name in names]]
        known: dict[str, Any] = {"make": object.__new__, "kind": kind}
        exec(compile("\n".join([*lines, "    return new"]), f"<copy of {kind.__name__}>", "exec"), known)
        return self.setdefault(kind, known["run"])


_CLONERS = _Cloners()
