"""Every message and every record comes back as it was; what is added behind is passed over; anything else is refused.

Strangers' values are drawn: what is refused says which declaration and which field, and nothing else is raised.
"""

from __future__ import annotations

import re
import typing
from typing import Any

import msgpack
import pytest
from drawn_values import LEAVES, strategy
from hypothesis import given, settings
from hypothesis import strategies as st
from offhook.actors.contracts import engine_messages, messages, node_messages
from offhook.actors.contracts.errors import ProtocolFault
from offhook.actors.contracts.message import Message, among, read
from offhook.policies.core import records as rec
from offhook.policies.core.layout import CodecFault, fields_of

DECLARED = sorted(
    {
        each
        for module in (messages, node_messages, engine_messages)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Message) and each is not Message
    },
    key=lambda kind: (kind.NAME, kind.__name__),
)
BODIES = sorted(rec.KINDS.values(), key=lambda kind: kind.KIND)
ANYTHING = LEAVES[Any] | st.binary(max_size=5) | st.floats()
ROWS = st.lists(ANYTHING, max_size=8) | st.tuples(
    st.text(max_size=3), LEAVES[int], LEAVES[int], LEAVES[int], st.sampled_from([*rec.KINDS, "commands", "x"]), ANYTHING
).map(list)
few = settings(max_examples=10, deadline=None)  # of each of some sixty declarations


class Stranger:
    """A value of no type that a message can hold."""


def packed(thing: Any) -> Any:
    return msgpack.unpackb(msgpack.packb(thing), strict_map_key=False)


def message(data: st.DataObject, kind: type[Message]) -> Message:
    hints = typing.get_type_hints(kind)
    return kind(*(data.draw(strategy(hints[name]), label=name) for name in kind.FIELDS))


# --- messages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DECLARED)
@few
@given(data=st.data())
def test_a_message_comes_back_as_it_was(kind: type[Message], data: st.DataObject) -> None:
    said = message(data, kind)
    found = read(packed(said), among(kind))
    assert found == said and type(found) is kind
    assert kind.from_fields(packed(said.fields)) == said


@pytest.mark.parametrize("kind", DECLARED)
@few
@given(data=st.data(), added=st.lists(ANYTHING, min_size=1, max_size=3))
def test_fields_added_behind_a_message_are_passed_over(kind: type[Message], data: st.DataObject, added: Any) -> None:
    said = message(data, kind)
    assert kind.of([*packed(said), *added]) == said


@pytest.mark.parametrize("kind", DECLARED)
@few
@given(data=st.data())
def test_fields_that_are_missing_at_the_end_have_their_default_or_are_refused(
    kind: type[Message], data: st.DataObject
) -> None:
    said = packed(message(data, kind))
    for size in range(1, len(said)):
        if size > len(kind.FIELDS) - len(kind.DEFAULTS):
            assert kind.of(said[:size])[size:] == kind.DEFAULTS[size - len(said) :]
        else:
            with pytest.raises(
                ProtocolFault, match=f"{kind.__name__}: needs {len(kind.FIELDS) - len(kind.DEFAULTS) + 1} "
            ):
                kind.of(said[:size])


@pytest.mark.parametrize("kind", DECLARED)
@few
@given(data=st.data())
def test_the_field_that_is_wrong_is_named(kind: type[Message], data: st.DataObject) -> None:
    hints = typing.get_type_hints(kind)
    said = packed(message(data, kind))
    for at, name in enumerate(kind.FIELDS, start=1):
        spoilt = [*said[:at], Stranger(), *said[at + 1 :]]
        if hints[name] in (object, Any):
            assert kind.of(spoilt)[at] is spoilt[at], "whoever reads it looks at it"
        else:
            with pytest.raises(ProtocolFault, match=rf"^{kind.NAME}: {kind.__name__}\.{name}: needs .* got Stranger"):
                kind.of(spoilt)


@pytest.mark.parametrize("kind", DECLARED)
@few
@given(rest=st.lists(ANYTHING, max_size=8))
def test_what_a_stranger_sends_is_a_message_or_refused_by_name(kind: type[Message], rest: list[Any]) -> None:
    try:
        found = read([kind.NAME, *rest], among(kind))
    except ProtocolFault as fault:
        assert str(fault).startswith(f"{kind.NAME}: {kind.__name__}")
        return
    assert type(found) is kind


# --- records --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BODIES)
@few
@given(data=st.data())
def test_a_body_comes_back_as_it_was(kind: type[rec.Body], data: st.DataObject) -> None:
    body = data.draw(strategy(kind))
    record = rec.Record("c1", 1, 7, 900, kind.KIND, body.plain())
    found = rec.record_of(packed(record))
    assert found == record and found.told(kind) == body
    assert all(found.told(other) is None for other in BODIES if other is not kind)


@pytest.mark.parametrize("kind", BODIES)
@few
@given(data=st.data(), added=ANYTHING)
def test_what_is_added_to_a_record_is_passed_over(kind: type[rec.Body], data: st.DataObject, added: Any) -> None:
    body = data.draw(strategy(kind))
    plain = body.plain()
    more = {**plain, "added": added} if isinstance(plain, dict) else [*plain, added]
    found = rec.record_of(["c1", 1, 7, 900, kind.KIND, more, added])
    assert found.told(kind) == body and len(found) == 6


@pytest.mark.parametrize("kind", BODIES)
@few
@given(data=st.data())
def test_the_field_of_a_record_that_is_wrong_is_named(kind: type[rec.Body], data: st.DataObject) -> None:
    plain = data.draw(strategy(kind)).plain()
    for at, field in enumerate(fields_of(kind)):
        if isinstance(plain, dict):
            spoilt: Any = {**plain, field.key: Stranger()}
        else:
            spoilt = [*plain[:at], Stranger(), *plain[at + 1 :]]
        where = re.escape(f"{kind.__name__}.{field.key}")
        with pytest.raises(CodecFault, match=rf"^({where}|Cost): needs .* got .*Stranger"):
            kind.read(spoilt)


@pytest.mark.parametrize("kind", BODIES)
@few
@given(body=ANYTHING | st.dictionaries(st.sampled_from(["policy", "anchor", "cost", "from"]), ANYTHING))
def test_a_strangers_body_is_one_or_refused_by_name(kind: type[rec.Body], body: Any) -> None:
    try:
        assert type(kind.read(body)) is kind
    except CodecFault as fault:
        assert str(fault).startswith((kind.__name__, "Cost"))


@settings(max_examples=400, deadline=None)
@given(row=ROWS | ANYTHING)
def test_a_strangers_row_is_a_record_or_refused(row: Any) -> None:
    try:
        record = rec.record_of(row)
    except CodecFault as fault:
        assert "record" in str(fault)
        return
    assert type(record) is rec.Record and list(record) == list(row)[:6]
    for look in (record.event, record.commands, record.verdict, record.snapshot):
        try:
            look()
        except CodecFault as fault:
            assert str(fault)
