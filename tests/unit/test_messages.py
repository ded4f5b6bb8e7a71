"""Messages of links: tuples with typed fields, checked where they come in, and read across one release of skew."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from offhook.actors.call import phone_line
from offhook.actors.contracts.errors import ProtocolFault
from offhook.actors.contracts.message import Message, among, read
from offhook.actors.contracts.messages import (
    PROTOCOL,
    TO_CALL_FROM_GATEWAY,
    TO_GATEWAY_FROM_CALL,
    Audio,
    Digit,
    GatewayHello,
    Play,
    SubscriberHello,
)
from offhook.actors.contracts.node_messages import TO_SUPERVISOR, Beat, Performed
from offhook.actors.link.link import Link
from offhook.serve.gateway import line


def test_a_message_is_its_array() -> None:
    play = Play(2, b"sound")
    assert play == ("play", 2, b"sound") and (play.epoch, play.sound) == (2, b"sound")
    assert msgpack.unpackb(msgpack.packb(play)) == ["play", 2, b"sound"]
    assert Play(sound=b"sound", epoch=2) == play and play.fields == (2, b"sound")
    match play:
        case Play(epoch, sound):
            assert (epoch, sound) == (2, b"sound")


def test_fields_with_a_default_may_be_left_out_and_no_others() -> None:
    assert Performed("k", True, "booked") == ("performed", "k", True, "booked", False, "")
    for wrong in ((), (1,), (1, b"", 2)):
        with pytest.raises(TypeError):
            Play(*wrong)
    with pytest.raises(TypeError):
        Play(1, loud=b"")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (["a", 4], "Audio: needs 3 elements or more, got 2"),
        (["a", "4", b""], "Audio.seq: needs int, got str"),
        (["a", True, b""], "Audio.seq: needs int, got bool"),
        (["a", 4, "text"], "Audio.sound: needs bytes, got str"),
        (["play", 1, b""], "'play' is not sent here; what is taken: past, a, marked"),
        ([["a"], 4, b""], "is not sent here"),
        ([7], "is not sent here"),
    ],
)
def test_what_is_no_message_is_refused_by_name_and_field(array: list[Any], said: str) -> None:
    with pytest.raises(ProtocolFault, match=said):
        read(array, TO_CALL_FROM_GATEWAY)


def test_fields_that_a_later_release_adds_are_passed_over_and_missing_ones_have_their_default() -> None:
    assert read(["a", 4, b"s", "added", {}], TO_CALL_FROM_GATEWAY) == Audio(4, b"s")
    assert read(["digit", "5"], TO_CALL_FROM_GATEWAY) == Digit("5", -1)
    assert read(["beat", 1, True], TO_SUPERVISOR) == Beat(1, True)


def test_a_field_is_added_in_its_declaration_alone() -> None:
    class Today(Message, name="hum"):
        epoch: int

    class Tomorrow(Message, name="hum"):
        epoch: int
        tune: str = "none"

    sent = msgpack.unpackb(msgpack.packb(Tomorrow(1, "waltz")))
    assert Tomorrow.of(sent).tune == "waltz" and Today.of(sent) == ("hum", 1)
    assert Tomorrow.of(["hum", 1]).tune == "none"
    assert among(Today) == {"hum": Today}


def test_names_that_nobody_knows_are_passed_over_from_a_newer_dialler_alone() -> None:
    link = Link(lambda _link, _array: None)
    assert not link.newer, "who has dialled, and who has said no protocol, sends what is known"
    for protocol, newer in ((0, False), (PROTOCOL, False), (PROTOCOL + 1, True)):
        link.protocol = protocol
        assert link.newer is newer
    assert read(["hum", 1], TO_CALL_FROM_GATEWAY, newer=True) is None
    with pytest.raises(ProtocolFault, match="'hum' is not sent here"):
        read(["hum", 1], TO_CALL_FROM_GATEWAY)
    with pytest.raises(ProtocolFault, match=r"Audio\.seq"):
        read(["a", "4", b""], TO_CALL_FROM_GATEWAY, newer=True)


def test_hellos_of_the_release_before_say_no_protocol() -> None:
    assert GatewayHello.from_fields(["MZ1", "mulaw8k"]) == GatewayHello("MZ1", "mulaw8k", 0, None, 0)
    assert SubscriberHello.from_fields(["booking", "agent", []]).protocol == 0
    assert SubscriberHello.from_fields(["booking", "agent", [], 4, PROTOCOL + 1, "added"]).protocol == PROTOCOL + 1


# --- the two ends of a media link -------------------------------------------------------------------------------------


def test_each_end_of_a_media_link_acts_upon_every_message_that_it_may_be_sent() -> None:
    assert phone_line.TAKEN == TO_CALL_FROM_GATEWAY, "give what a gateway may send its row in phone_line._HEARS"
    assert line.TAKEN == TO_GATEWAY_FROM_CALL, "give what a call may send its row in line._ACTS"
