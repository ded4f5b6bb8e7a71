"""What a release has written is read for ever: messages, records and a whole call, as bytes in `tests/fixtures`."""

from __future__ import annotations

from pathlib import Path

import contract_examples as examples
import msgpack
import pytest
from offhook.actors.contracts import engine_messages, messages, node_messages
from offhook.actors.contracts.message import Message
from offhook.policies.core import records as rec
from offhook.policies.core.commands import RecordVerdict
from offhook.policies.core.version import CORE
from offhook.policies.replay.recording import read
from offhook.policies.replay.replay import replay

AGAIN = "python tests/support/contract_examples.py"
MESSAGES = sorted(examples.FIXTURES.glob("protocol-*/messages.z"))
RECORDS = sorted(examples.FIXTURES.glob("format-*/records.z"))
CALLS = sorted(examples.FIXTURES.glob("core-*/call.z"))


def declared() -> set[type[Message]]:
    modules = (messages, node_messages, engine_messages)
    found = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    return {each for each in found if issubclass(each, Message) and each is not Message}


def test_every_declaration_has_its_bytes_and_so_has_every_format() -> None:
    assert {type(each) for each in examples.MESSAGES} == declared(), "give the new message an example"
    assert {type(each) for each in examples.BODIES} == set(rec.KINDS.values()), "give the new record an example"
    for name in (f"protocol-{messages.PROTOCOL}", f"format-{rec.FORMAT}", f"core-{CORE}"):
        assert (examples.FIXTURES / name).is_dir(), f"{name} is not recorded: {AGAIN}"


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.parent.name)
def test_messages_are_read_as_what_they_were(path: Path) -> None:
    arrays = examples.read(path)
    assert len(arrays) <= len(examples.MESSAGES)
    for array, example in zip(arrays, examples.MESSAGES, strict=False):
        assert array[0] == example.NAME
        told = type(example).of(array)
        assert told == example and type(told) is type(example)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_records_of_every_kind_are_read_as_what_they_were(path: Path) -> None:
    found = {record.kind: record for record in map(rec.record_of, examples.read(path))}
    bodies = {body.KIND: body for body in examples.BODIES}
    assert set(found) <= set(bodies) | set(examples.PLAIN)
    for kind, record in found.items():
        if kind in bodies:
            assert record.told(type(bodies[kind])) == bodies[kind]
    assert found[rec.EVENT].event() == examples.PLAIN[rec.EVENT]
    assert found[rec.COMMANDS].commands() == examples.PLAIN[rec.COMMANDS]
    assert found[rec.VERDICT].verdict() == examples.PLAIN[rec.VERDICT]
    assert found[rec.SNAPSHOT].snapshot() == examples.PLAIN[rec.SNAPSHOT]


def test_what_is_written_today_is_what_was_recorded() -> None:
    packed = [msgpack.unpackb(msgpack.packb(each)) for each in examples.MESSAGES]
    assert packed == examples.read(examples.FIXTURES / f"protocol-{messages.PROTOCOL}" / "messages.z"), (
        f"messages lie otherwise than PROTOCOL {messages.PROTOCOL} says: raise it, and {AGAIN}"
    )
    written = [msgpack.unpackb(msgpack.packb(each), strict_map_key=False) for each in examples.records()]
    assert written == examples.read(examples.FIXTURES / f"format-{rec.FORMAT}" / "records.z"), (
        f"records lie otherwise than FORMAT {rec.FORMAT} says: raise it, and {AGAIN}"
    )


@pytest.mark.parametrize("path", CALLS, ids=lambda path: path.parent.name)
def test_a_call_that_a_core_has_led_is_replayed(path: Path) -> None:
    records = [rec.record_of(row) for row in examples.read(path)]
    start = records[0].told(rec.Start)
    assert start is not None and f"core-{start.core}" == path.parent.name
    found = replay(records)
    if start.core == CORE:
        again = f"core {CORE} decides otherwise: raise it in policies/core/version.py, and {AGAIN}"
        assert found.divergence is None, f"{again}\n{found.divergence}"
        assert found.compared == found.events == sum(record.kind == rec.EVENT for record in records)
    else:
        assert found.divergence is None and found.uncompared
    verdicts = [record.verdict() for record in records if record.kind == rec.VERDICT]
    assert found.ended and found.verdicts == verdicts
    told = [command for record in records for command in record.commands() if isinstance(command, RecordVerdict)]
    assert len(read(records).verdicts) == len(told) == len(verdicts)
