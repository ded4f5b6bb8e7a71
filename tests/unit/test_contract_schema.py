"""What is said of declarations that have changed: what only raises a version, and what must never happen to them."""

from __future__ import annotations

from typing import Any

import contract_schema as schemas
import pytest

BEFORE: schemas.Schema = {
    "End": {"lies": "map", "name": "end", "fields": [["outcome", "str", "needed"], ["why", "str", ""]]},
    "Kind": {"members": ["say", "tool"]},
}


def changed(**declared: Any) -> schemas.Schema:
    return {**BEFORE, **declared}


def end(*fields: list[Any], **other: Any) -> schemas.Schema:
    return changed(End={"lies": "map", "name": "end", "fields": list(fields), **other})


OUTCOME, WHY = BEFORE["End"]["fields"]


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (end(OUTCOME), "End.why is gone"),
        (end(WHY, OUTCOME), "End.outcome was field 0 and is 1"),
        (end(["outcome", "int", "needed"], WHY), "End.outcome was str and is int"),
        (end(OUTCOME, ["why", "str", "none"]), "End.why was '' where it is missing and is 'none'"),
        (end(OUTCOME, WHY, ["by", "str", "needed"]), "End.by is new and has no default"),
        (end(OUTCOME, WHY, lies="array"), "End: lies was 'map' and is 'array'"),
        (end(OUTCOME, WHY, name="over"), "End: name was 'end' and is 'over'"),
        ({"Ended": BEFORE["End"], "Kind": BEFORE["Kind"]}, "End is gone: .* never rename"),
        (changed(Kind={"members": ["say"]}), "Kind.tool is gone"),
    ],
)
def test_what_must_not_happen_is_told(now: schemas.Schema, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        assert not schemas.wrong(BEFORE, now), "\n".join(schemas.wrong(BEFORE, now))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (end(OUTCOME, WHY, ["by", "str", ""]), ["End.by is new"]),
        (changed(Kind={"members": ["say", "tool", "hum"]}), ["Kind.hum is new"]),
        (changed(Lost={"fields": []}), ["Lost is new"]),
        (BEFORE, []),
    ],
)
def test_what_has_grown_is_told_and_is_nothing_wrong(now: schemas.Schema, said: list[str]) -> None:
    assert schemas.grown(BEFORE, now) == said and not schemas.wrong(BEFORE, now)
