"""Every class of the contracts survives the codec, through msgpack and JSON, whatever its fields hold."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest
from drawn_values import LEAVES, strategy
from hypothesis import given, settings
from hypothesis import strategies as st
from offhook.policies.core.codec import TAGS, CodecFault, decode, encode


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
