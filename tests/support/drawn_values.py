"""Values of a declared field, drawn from its annotation alone."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from hypothesis import strategies as st
from offhook.policies.core.principal import Principal

NUMBERS = st.integers(-(2**53), 2**53)
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=12),
    int: NUMBERS,
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    bytes: st.binary(max_size=12),
    Principal: (st.text(max_size=12) | st.sampled_from(["ann", "person:ann (Ann Lee)", "system:"])).map(Principal.of),
    Any: st.recursive(
        st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=5,
    ),
}


def strategy(hint: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation, made from the annotation alone: whoever draws them does not know the classes."""
    if hint in LEAVES:
        return LEAVES[hint]
    if hint is object:
        return LEAVES[Any]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{field.name: strategy(hints[field.name]) for field in dataclasses.fields(hint)})
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return st.none() | st.one_of(*(strategy(part) for part in arguments if part is not type(None)))
    if origin is frozenset:
        return st.frozensets(strategy(arguments[0]), max_size=3)
    if origin is list:
        return st.lists(strategy(arguments[0]), max_size=3)
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(strategy(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(strategy(part) for part in arguments))
    if origin is Mapping:
        return st.dictionaries(strategy(arguments[0]), strategy(arguments[1]), max_size=3)
    raise AssertionError(f"a field annotated {hint}: teach this test and the codec")
