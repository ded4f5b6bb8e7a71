"""What a release has written is read for ever: messages, records and a whole call, as bytes in `tests/fixtures`.

Beside the bytes of each version stands what they say and what was declared (`contract_schema.py`); today's declarations
may have grown since, and nothing else.
"""

from __future__ import annotations

from pathlib import Path

import contract_examples as examples
import contract_schema as schemas
import pytest
from offhook.actors.contracts import messages
from offhook.policies.core import records as rec
from offhook.policies.core.commands import RecordVerdict
from offhook.policies.core.version import CORE
from offhook.policies.replay.recording import read
from offhook.policies.replay.replay import replay

AGAIN = "python tests/support/contract_examples.py"
VERSIONS = sorted(path for path in examples.FIXTURES.glob("*-*") if path.is_dir())
PROTOCOLS = sorted(examples.FIXTURES.glob("protocol-*"))
FORMATS = sorted(examples.FIXTURES.glob("format-*"))
CORES = sorted(examples.FIXTURES.glob("core-*"))
PRESENT = {f"protocol-{messages.PROTOCOL}": "PROTOCOL", f"format-{rec.FORMAT}": "FORMAT", f"core-{CORE}": "CORE"}
DECLARED = {"protocol": schemas.of_messages, "format": schemas.of_records, "core": schemas.of_core}


def named(path: Path) -> str:
    return path.name


def test_every_declaration_has_an_example_and_every_version_its_folder() -> None:
    found = {schemas.name_of_message(type(each)) for each in examples.MESSAGES}
    assert found == set(schemas.declared_messages()), "give the new message an example"
    assert {type(each) for each in examples.BODIES} == set(rec.KINDS.values()), "give the new record an example"
    for name in PRESENT:
        assert (examples.FIXTURES / name).is_dir(), f"{name} is not recorded: {AGAIN}"


# --- of every version -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", PROTOCOLS, ids=named)
def test_messages_are_read_as_what_they_were(folder: Path) -> None:
    kinds = schemas.declared_messages()
    for array, (name, told) in zip(examples.read(folder / "messages.z"), examples.told(folder), strict=True):
        kind = kinds[name]
        said = kind.of(array)
        assert array[0] == kind.NAME and type(said) is kind
        assert schemas.as_then(told, schemas.shown(said)) == told
        added = kind.FIELDS[len(told) :]
        assert said[len(told) + 1 :] == kind.DEFAULTS[len(kind.DEFAULTS) - len(added) :], "what it did not say"


@pytest.mark.parametrize("folder", FORMATS, ids=named)
def test_records_of_every_kind_are_read_as_what_they_were(folder: Path) -> None:
    for row, (kind, told) in zip(examples.read(folder / "records.z"), examples.told(folder), strict=True):
        body = rec.record_of(row).told(rec.KINDS[kind])
        assert body is not None and schemas.as_then(told, schemas.shown(body)) == told


@pytest.mark.parametrize("folder", CORES, ids=named)
def test_events_commands_verdicts_and_states_are_read_as_what_they_were(folder: Path) -> None:
    for row, (kind, told) in zip(examples.read(folder / "codec.z"), examples.told(folder), strict=True):
        record = rec.record_of(row)
        read_as = {rec.COMMANDS: record.commands, rec.VERDICT: record.verdict, rec.SNAPSHOT: record.snapshot}
        thing = read_as[kind]() if kind in read_as else record._replace(kind=rec.EVENT).event()
        assert record.kind == kind and schemas.as_then(told, schemas.shown(thing)) == told


@pytest.mark.parametrize("folder", VERSIONS, ids=named)
def test_declarations_have_only_grown_since(folder: Path) -> None:
    faults = schemas.wrong(examples.schema(folder), DECLARED[folder.name.partition("-")[0]]())
    assert not faults, f"what {folder.name} has written is read otherwise now:\n" + "\n".join(faults)


# --- of the present ones ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESENT)
def test_what_is_declared_and_written_today_is_what_was_recorded(name: str) -> None:
    folder, version = examples.FIXTURES / name, examples.made()[name]
    grown = schemas.grown(examples.schema(folder), version.schema)
    assert not grown, f"raise {PRESENT[name]}, and {AGAIN}:\n" + "\n".join(grown)
    for file, things in version.arrays.items():
        if file != examples.CALL:  # which is replayed below
            again = f"{file} lies otherwise than {PRESENT[name]} says: raise it, and {AGAIN}"
            assert examples.packed(things) == examples.read(folder / file), again
    assert version.told == examples.told(folder) and version.schema == examples.schema(folder)


@pytest.mark.parametrize("folder", CORES, ids=named)
def test_a_call_that_a_core_has_led_is_replayed(folder: Path) -> None:
    records = [rec.record_of(row) for row in examples.read(folder / examples.CALL)]
    start = records[0].told(rec.Start)
    assert start is not None and f"core-{start.core}" == folder.name
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
