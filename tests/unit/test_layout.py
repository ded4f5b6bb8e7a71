"""Layouts: what each annotation accepts and refuses, and that every declaration there is can be compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, make_dataclass
from enum import StrEnum
from typing import Any, Optional, Union

import contract_schema as schemas
import pytest
from offhook.policies.core import codec
from offhook.policies.core.layout import CodecFault, array_decoder, array_encoder, map_decoder, map_encoder
from offhook.policies.core.records import KINDS, Cost


class Mood(StrEnum):
    """A member of an enum lies as its text."""

    CALM = "calm"


WAYS = ((array_encoder, array_decoder), (map_encoder, map_decoder))


def there_and_back(hint: Any, value: Any, way: tuple[Callable[..., Any], ...]) -> Any:
    kind = make_dataclass("Told", [("it", hint)])
    encoder, decoder = (make(kind) for make in way)
    return decoder(encoder(kind(value))).it


def told(hint: Any, plain: Any) -> Any:
    return array_decoder(make_dataclass("Told", [("it", hint)]))([plain]).it


@pytest.mark.parametrize("way", WAYS, ids=["array", "map"])
@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (Mapping[str, int], {"a": 1}),
        (Mapping[str, float], {"a": 1.5, "b": 2}),
        (Mapping[str, bool], {"a": True}),
        (list[str], ["a", "b"]),
        (list[Mood], [Mood.CALM]),
        (list[list[int]], [[1], []]),
        (list[Any], [1, "a"]),
        (int | None, 5),
        (None | int, 5),
        (Optional[int], None),  # noqa: UP045 - the older way to write it
        (Union[None, Mood], Mood.CALM),  # noqa: UP007
        (list[str] | None, ["a"]),
        (tuple[Mood | None, ...], (Mood.CALM, None)),
    ],
)
def test_a_value_comes_back_as_it_was(hint: Any, value: Any, way: tuple[Callable[..., Any], ...]) -> None:
    assert there_and_back(hint, value, way) == value


@pytest.mark.parametrize(
    ("hint", "plain", "said"),
    [
        (Mapping[str, int], {"a": "x"}, "Told.it: needs int, got str"),
        (Mapping[str, int], {1: 1}, "Told.it: needs str, got int"),
        (Mapping[str, str], {"a": None}, "Told.it: needs str, got NoneType"),
        (Mapping[str, int], [], "Told.it: needs a map, got list"),
        (list[str], [1, 2], "Told.it: needs str, got int"),
        (list[Mood], ["cross"], "Told.it: needs one of calm, got 'cross'"),
        (list[int], "12", "Told.it: needs an array, got str"),
        (None | int, "5", "Told.it: needs int, got str"),
    ],
)
def test_what_is_none_is_refused_by_the_field(hint: Any, plain: Any, said: str) -> None:
    with pytest.raises(CodecFault) as fault:
        told(hint, plain)
    assert str(fault.value) == said


@pytest.mark.parametrize("make", [array_encoder, array_decoder, map_encoder, map_decoder])
@pytest.mark.parametrize("hint", [int | str, int | str | None, list[int | str], Mapping[int, str], set[int], complex])
def test_an_annotation_without_a_rule_is_refused_when_it_is_compiled(make: Callable[..., Any], hint: Any) -> None:
    with pytest.raises(TypeError, match="no rule for a field annotated"):
        make(make_dataclass("Told", [("it", hint)]))


def test_a_default_that_can_be_changed_is_each_readers_own() -> None:
    kind = make_dataclass("Told", [("it", list[str], field(default_factory=list))])
    first, second = (map_decoder(kind)({}) for _ in range(2))
    assert first.it == [] and first.it is not second.it


@pytest.mark.parametrize("kind", [*codec.TAGS.values(), *KINDS.values(), Cost], ids=lambda kind: kind.__name__)
def test_every_declared_class_can_be_compiled(kind: type) -> None:
    for make in (array_encoder, array_decoder, map_encoder, map_decoder):
        make(kind)


@pytest.mark.parametrize("kind", schemas.declared_messages().values(), ids=lambda kind: kind.__name__)
def test_every_message_can_be_compiled(kind: Any) -> None:
    assert array_decoder(kind, kind._declared(), tagged=True, name=kind.NAME)
