"""Codec: plain arrays out, the same objects back, and a clear refusal of everything else."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest
from offhook.policies.core import events as ev
from offhook.policies.core.codec import TAGS, CodecFault, decode, encode, plain
from offhook.policies.core.commands import Publish, Say
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.proposals import Purpose
from offhook.policies.core.state import CallState, Concern, Holder, Standing


def test_an_object_is_its_name_and_its_fields() -> None:
    say = Say("u1", "Hello.", Purpose.GREETING, True, "g1")
    assert encode(say) == ["Say", "u1", "Hello.", "greeting", True, "g1"]
    assert decode(encode(say)) == say


def test_plain_means_plain_for_msgpack_and_json() -> None:
    concern = Concern("price", Standing.OPEN, 1, ((1, Standing.OPEN, 0), (9, Standing.SOFTENING, 4)))
    state = CallState(call="c1", concerns=(concern,), timers={"round": 5}, lost_parts=frozenset({"b", "a"}))
    array = encode(state)
    assert decode(msgpack.unpackb(msgpack.packb(array))) == state
    assert decode(json.loads(json.dumps(array))) == state
    assert array[0] == "CallState" and ["a", "b"] in array


def test_every_shorter_array_of_a_state_takes_the_defaults_of_what_it_lacks() -> None:
    array = encode(CallState())
    for size in range(1, len(array)):
        assert decode(array[:size]) == CallState()


def test_a_shorter_array_of_an_older_version_takes_the_defaults() -> None:
    array = encode(CallState(call="c1"))
    assert decode(array[:3]) == CallState(call="c1")


def test_a_longer_array_of_a_newer_version_is_read_as_far_as_it_is_known() -> None:
    assert decode(["DigitPressed", 1, "5", "what the next version adds", {}]) == ev.DigitPressed(1, "5")


def test_every_class_of_the_contracts_has_a_tag() -> None:
    for module in (ev,):
        for name, kind in vars(module).items():
            if isinstance(kind, type) and issubclass(kind, ev.Event) and kind is not ev.Event:
                assert TAGS[name] is kind


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (["Nonsense", 1], "unknown tag 'Nonsense'"),
        ([], "begins with a name"),
        ("Say", "begins with a name"),
        ([1, 2], "begins with a name"),
        (["Say", "u1"], "needs 6 elements or more, got 2"),
        (["DigitPressed", 1], "got 2"),
        (["DigitPressed", "1", "5"], "DigitPressed.at_ms: needs int, got str"),
        (["DigitPressed", True, "5"], "DigitPressed.at_ms: needs int, got bool"),
        (["Say", "u1", None, "greeting", True, "g1"], "Say.text: needs str, got NoneType"),
        (["Say", "u1", "Hi", "shouting", True, "g1"], "Say.purpose: needs one of greeting, question"),
        (["AgentAnswered", 1, "a", 1, 1, "no"], "AgentAnswered.proposals: needs an array, got str"),
        (["AgentAnswered", 1, "a", 1, 1, [5]], "Proposal: needs an array, got int"),
        (["Publish", "topic", []], "Publish.body: needs a map, got list"),
        (["Event", 1], "unknown tag"),
    ],
)
def test_what_is_no_encoded_object_is_refused_by_name(array: Any, said: str) -> None:
    with pytest.raises(CodecFault, match=said.replace("(", r"\(")) as caught:
        decode(array)
    assert isinstance(caught.value, CallerFault)


def test_what_has_no_tag_is_not_encoded() -> None:
    with pytest.raises(CodecFault, match="object cannot be encoded"):
        encode(object())


def test_bodies_of_notices_become_plain() -> None:
    body = {"holder": Holder.CALLER, "history": ((1, Standing.OPEN),), "names": frozenset({"b", "a"})}
    array = encode(Publish("floor", body))
    assert array == ["Publish", "floor", {"holder": "caller", "history": [[1, "open"]], "names": ["a", "b"]}]
    assert type(array[2]["holder"]) is str
    with pytest.raises(CodecFault, match="bytes is not plain"):
        plain({"sound": b"123"})
