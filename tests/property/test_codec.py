"""Every class of the contracts survives the codec, through msgpack and JSON, whatever its fields hold."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from offhook.policies.core.codec import TAGS, CodecFault, decode, encode
from offhook.policies.core.principal import Principal

NUMBERS = st.integers(-(2**53), 2**53)
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=12),
    int: NUMBERS,
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    Principal: (st.text(max_size=12) | st.sampled_from(["ann", "person:ann (Ann Lee)", "system:"])).map(Principal.of),
    Any: st.recursive(
        st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=5,
    ),
}


def strategy(hint: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation, made from the annotation alone: this test does not know the classes."""
    if hint in LEAVES:
        return LEAVES[hint]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{field.name: strategy(hints[field.name]) for field in dataclasses.fields(hint)})
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return st.none() | strategy(arguments[0])
    if origin is frozenset:
        return st.frozensets(strategy(arguments[0]), max_size=3)
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(strategy(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(strategy(part) for part in arguments))
    if origin is Mapping:
        return st.dictionaries(strategy(arguments[0]), strategy(arguments[1]), max_size=3)
    raise AssertionError(f"a field annotated {hint}: teach this test and the codec")


@pytest.mark.parametrize("tag", sorted(TAGS))
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_round_trip(tag: str, data: st.DataObject) -> None:
    thing = data.draw(strategy(TAGS[tag]))
    array = encode(thing)
    assert array[0] == tag
    assert decode(array) == thing
    assert decode(msgpack.unpackb(msgpack.packb(array))) == thing
    assert encode(decode(json.loads(json.dumps(array)))) == array


@settings(max_examples=300, deadline=None)
@given(
    tag=st.sampled_from(sorted(TAGS)),
    rest=st.lists(LEAVES[Any], max_size=12),
)
def test_what_comes_from_a_stranger_is_decoded_or_refused_never_worse(tag: str, rest: list[Any]) -> None:
    try:
        thing = decode([tag, *rest])
    except CodecFault:
        return
    assert type(thing).__name__ == tag
