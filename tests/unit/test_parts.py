"""Parts: how the immutable values are made, changed and compared."""

from __future__ import annotations

import pickle

import pytest
from offhook.policies.core.parts import part, replace


@part
class Place:
    floor: int
    room: str = "lobby"


@part
class Alone:
    floor: int


def test_a_copy_differs_in_what_was_named_only() -> None:
    before = Place(1, "kitchen")
    after = replace(before, floor=2)
    assert (after, before) == (Place(2, "kitchen"), Place(1, "kitchen"))
    assert replace(Alone(1), floor=2) == Alone(2)
    assert replace(before) == before and replace(before) is not before


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(AttributeError, match="flor"):
        replace(Place(1), flor=2)  # type: ignore[call-arg]


def test_parts_are_values() -> None:
    assert len({Place(1), Place(1), Place(2)}) == 2
    assert Place(1) != Alone(1)
    assert pickle.loads(pickle.dumps(Place(3))) == Place(3)
    assert not hasattr(Place(1), "__dict__"), "slots only: nothing can be hung onto a part"
