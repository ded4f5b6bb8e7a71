"""What a call is assigned with, as it crosses a process: whole, checked field by field, read over a release of skew."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from drawn_values import strategy
from hypothesis import given, settings
from hypothesis import strategies as st
from offhook.actors.contracts.errors import ProtocolFault
from offhook.actors.contracts.setup import Engines, Setup
from offhook.policies.core.layout import fields_of

SETUP = Setup("c1", 1, "inbound", "+1", "+2", "v1", {"name": "v"}, "media", {"booking": "t"}, "observer", 5)


def packed(thing: Any) -> Any:
    return msgpack.unpackb(msgpack.packb(thing), strict_map_key=False)


@settings(max_examples=30, deadline=None)
@given(setup=strategy(Setup))
def test_a_setup_comes_back_as_it_was(setup: Setup) -> None:
    assert Setup.from_map(packed(setup.as_map())) == setup


@settings(max_examples=30, deadline=None)
@given(engines=strategy(Engines), added=st.integers())
def test_engines_come_back_and_what_is_added_is_passed_over(engines: Engines, added: int) -> None:
    assert Engines.from_map({**packed(engines.as_map()), "added": added}) == engines


def test_what_an_earlier_release_did_not_send_has_its_default() -> None:
    raw = packed(SETUP.as_map())
    assert set(raw) == {each.name for each in fields_of(Setup) if not each.optional}
    assert Setup.from_map({**raw, "engines": {}}) == SETUP == Setup.from_map(raw)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("epoch", "1", "Setup.epoch: needs int, got str"),
        ("agent_tokens", {"booking": 5}, "Setup.agent_tokens: needs str, got int"),
        ("anchor", ["boot"], "Setup.anchor: needs an array of 2"),
        ("engines", {"recognizer_endpoints": [["unix:/x"]]}, "Engines.recognizer_endpoints: needs an array of 2"),
        ("engines", [], "Engines: needs a map, got list"),
        ("resume", "records", "Setup.resume: needs an array, got str"),
    ],
)
def test_the_field_that_is_wrong_is_named(field: str, value: object, said: str) -> None:
    with pytest.raises(ProtocolFault, match=said):
        Setup.from_map({**SETUP.as_map(), field: value})


def test_a_field_that_is_missing_is_named() -> None:
    raw = SETUP.as_map()
    del raw["call"]
    with pytest.raises(ProtocolFault, match=r"Setup\.call is missing"):
        Setup.from_map(raw)
