"""The next release, made on a scratch copy of the tree by an edit of one file: understood here; it understands us.

Each edit adds what a release adds: a field of a record, of a message, of an event, a kind of messages. The copy runs as
a process of its own, reads what this tree has written, writes, and talks to this tree on a link.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contract_examples as examples
import msgpack
import pytest
from offhook.actors.call.resume import fold
from offhook.actors.contracts.errors import ProtocolFault
from offhook.actors.contracts.message import Message, read
from offhook.actors.contracts.messages import PROTOCOL, TO_CALL_FROM_GATEWAY, Digit, GatewayHello, Marked
from offhook.actors.link.link import Array, Link, LinkServer
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.policy import Policy, recorded_policy
from offhook.policies.core.records import End, record_of
from offhook.policies.replay.replay import replay
from offhook.policies.simulation.drawn import drawn_policy
from offhook.policies.simulation.journal import recorded
from pydantic import ValidationError
from source_tree import ROOT
from swapped_call import AgentLink, SwappedCall, policy, runner

SUPPORT = Path(__file__).parents[1] / "support"


@dataclass(frozen=True)
class Release:
    """A copy of the product in a folder, and how it is run."""

    folder: Path

    def edit(self, path: str, *changes: tuple[str, str]) -> None:
        """Replace what stands once in a file."""
        file = self.folder / "offhook" / path
        text = file.read_text()
        for old, new in changes:
            assert text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}: adapt this test"
            text = text.replace(old, new)
        file.write_text(text)

    def command(self, script: str) -> list[str]:
        return [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(SUPPORT)!r})\n{script}"]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}

    def says(self, script: str) -> Any:
        """What a script prints as JSON, run by this release."""
        done = subprocess.run(
            self.command(script), env=self.environment, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def next_release(tmp_path: Path) -> Release:
    for layer in ("policies", "actors"):
        shutil.copytree(ROOT / layer, tmp_path / "offhook" / layer, ignore=shutil.ignore_patterns("__pycache__"))
    release = Release(tmp_path)
    where = release.says("import json, offhook.policies.core as it; print(json.dumps(it.__file__))")
    assert where.startswith(str(tmp_path)), "the copy is what runs"
    return release


def test_a_field_of_a_record_is_added_in_one_file(next_release: Release, tmp_path: Path) -> None:
    next_release.edit(
        "policies/core/records.py",
        ('    by: str = ""  # who wrote this for it\n', '    by: str = ""\n    mood: str = "calm"\n'),
        ("FORMAT = 1 ", "FORMAT = 2 "),
    )
    (tmp_path / "before").write_bytes(msgpack.packb(["c1", 1, 7, 900, End.KIND, End("booked").plain()]))
    told = next_release.says("""
import json, msgpack, pathlib
from contract_examples import call
from offhook.policies.core.records import End, Record, record_of
from offhook.policies.replay.replay import replay
read = record_of(msgpack.unpackb(pathlib.Path("before").read_bytes())).told(End)
glad = Record("c1", 1, 7, 900, End.KIND, End("booked", mood="glad").plain())
pathlib.Path("after").write_bytes(msgpack.packb(glad))
again = record_of(msgpack.unpackb(pathlib.Path("after").read_bytes())).told(End)
*led, end = call()
led.append(end._replace(body={**end.body, "mood": "glad"}))
pathlib.Path("call").write_bytes(msgpack.packb(led))
print(json.dumps([read.mood, again.mood, replay(led).same]))
""")
    assert told == ["calm", "glad", True], "it reads what was written before, and what it writes itself"
    assert record_of(msgpack.unpackb((tmp_path / "after").read_bytes())).told(End) == End("booked")
    found = replay(msgpack.unpackb((tmp_path / "call").read_bytes(), strict_map_key=False))
    assert found.same and found.ended and found.compared == found.events > 0, "this release replays the next one's call"


def test_a_field_of_an_event_is_added_in_one_file(next_release: Release) -> None:
    next_release.edit("policies/core/events.py", _field_behind("LineClosed", 'carrier_code: str = ""'))
    before = encode(ev.LineClosed(900, "over"))
    after, code = next_release.says(f"""
import json
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
assert decode({before!r}) == ev.LineClosed(900, "over")
array = encode(ev.LineClosed(900, "over", carrier_code="31005"))
print(json.dumps([array, decode(array).carrier_code]))
""")
    assert code == "31005" and decode(after) == ev.LineClosed(900, "over")


def _field_behind(kind: str, field: str) -> tuple[str, str]:
    """The edit that adds a field at the end of a class of events."""
    text = (ROOT / "policies/core/events.py").read_text()
    body = text[text.index(f"class {kind}(") :].split("\n\n\n")[0]
    return body, f"{body.rstrip()}\n    {field}"


GATEWAY = """
import asyncio
from offhook.actors.contracts.messages import PROTOCOL, TO_CALL_FROM_GATEWAY, Digit, GatewayHello, Hum, Marked
from offhook.actors.contracts.message import read
from offhook.actors.link.link import connect
assert read(["digit", "5", 2], TO_CALL_FROM_GATEWAY) == Digit("5", 2, 0), "what this release sends is read by the next"
assert read(["digit", "5", 2, 340], TO_CALL_FROM_GATEWAY).held_ms == 340
assert read(["hum", "waltz"], TO_CALL_FROM_GATEWAY) == Hum("waltz")

async def main():
    closed = asyncio.get_running_loop().create_future()
    link = await connect(ENDPOINT, "t", *GatewayHello("MZ1", "mulaw8k", 0, None, PROTOCOL).fields,
                         on_message=lambda *_: None, on_close=lambda _link, why: closed.set_result(why))
    for message in (Digit("5", 2, 340), Hum("waltz"), Marked("u1")):
        link.send(*message)
    await asyncio.wait_for(closed, 10)

asyncio.run(main())
"""


def edit_messages(release: Release, protocol: int) -> None:
    """A field of `Digit`, and a kind of messages that gateways may send."""
    release.edit(
        "actors/contracts/messages.py",
        (f"PROTOCOL = {PROTOCOL} ", f"PROTOCOL = {protocol} "),
        ("-1 = the next\n", "-1 = the next\n    held_ms: int = 0\n"),
        (
            "TO_CALL_FROM_GATEWAY = among(Past, Audio, Marked, Digit, Stopped)",
            'class Hum(Message, name="hum"):\n    tune: str\n\n\n'
            "TO_CALL_FROM_GATEWAY = among(Past, Audio, Marked, Digit, Stopped, Hum)",
        ),
    )


async def taken_here(release: Release, tmp_path: Path) -> tuple[int, list[Message | None], list[str]]:
    """What this release takes from a gateway of the next: the protocol it said, its messages, what was refused."""
    taken: list[Message | None] = []
    said: list[int] = []
    refused: list[str] = []

    def take(link: Link, array: Array) -> None:
        try:
            taken.append(read(array, TO_CALL_FROM_GATEWAY, link.newer))
        except ProtocolFault as fault:
            refused.append(str(fault))
            raise
        if isinstance(taken[-1], Marked):
            link.close("all is read")

    def greet(link: Link, _grant: Any, fields: Array) -> None:
        link.protocol = GatewayHello.from_fields(fields).protocol
        said.append(link.protocol)
        link.on_message = take

    server = LinkServer(greet)
    endpoint = await server.start(f"unix:{tmp_path}/s")
    server.admit(None, "t")
    script = f"ENDPOINT = {endpoint!r}\n{GATEWAY}"
    process = await asyncio.create_subprocess_exec(
        *release.command(script), env=release.environment, stdout=asyncio.subprocess.PIPE
    )
    await process.communicate()
    await server.stop()
    assert process.returncode == 0
    return said[0], taken, refused


def test_a_message_and_a_field_of_one_are_added_in_one_file(next_release: Release, tmp_path: Path) -> None:
    edit_messages(next_release, PROTOCOL + 1)
    protocol, taken, refused = asyncio.run(taken_here(next_release, tmp_path))
    assert protocol == PROTOCOL + 1 and not refused
    assert taken == [Digit("5", 2), None, Marked("u1")], "the field and the kind are passed over, the rest is read"


def test_a_message_that_is_added_without_a_protocol_is_refused(next_release: Release, tmp_path: Path) -> None:
    edit_messages(next_release, PROTOCOL)
    _, taken, refused = asyncio.run(taken_here(next_release, tmp_path))
    assert taken == [Digit("5", 2)] and len(refused) == 1 and "'hum' is not sent here" in refused[0]


def test_the_next_release_reads_every_byte_that_was_recorded(next_release: Release) -> None:
    edit_messages(next_release, PROTOCOL + 1)
    fixtures = sorted(map(str, examples.FIXTURES.glob("*/*.z")))
    assert len(fixtures) >= 3
    counts = next_release.says(f"""
import json, pathlib
import contract_examples as examples
import contract_schema as schemas
from offhook.policies.core.records import record_of
counts, kinds = [], schemas.declared_messages()
for path in map(pathlib.Path, {fixtures!r}):
    rows = examples.read(path)
    if path.name == "messages.z":
        for row, (name, told) in zip(rows, examples.told(path.parent), strict=True):
            assert schemas.as_then(told, schemas.shown(kinds[name].of(row))) == told
    else:
        assert [list(record_of(row)) for row in rows] == [row[:6] for row in rows]
    counts.append(len(rows))
print(json.dumps(counts))
""")
    assert all(counts)


# --- a policy -------------------------------------------------------------------------------------------------------

LED = """
import json, pathlib, random, msgpack
from offhook.policies.core.policy import Policy, recorded_policy
from offhook.policies.replay.replay import replay
from offhook.policies.simulation.drawn import drawn_policy
from offhook.policies.simulation.journal import recorded
old = msgpack.unpackb(pathlib.Path("before").read_bytes(), strict_map_key=False)
policy = drawn_policy(random.Random(3))
pathlib.Path("after").write_bytes(msgpack.packb(recorded(3, policy)))
plain = Policy(name="test", agents={"closer": {"code": "x:Y"}}, gate={"actions": {"book": {}}}).model_dump(mode="json")
read = recorded_policy(PLAIN)
print(json.dumps([replay(old).same, plain, read.mood, read.gate.actions["book"].patience_ms]))
"""
UNKNOWN = {"ActionRules.patience_ms", "Policy.mood"}


def test_a_field_of_a_policy_is_added_in_one_file_and_calls_are_led_and_replayed_both_ways(
    next_release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    next_release.edit(
        "policies/core/policy.py",
        ("    irreversible: bool = False\n", "    irreversible: bool = False\n    patience_ms: int = 5\n"),
        (
            "    speech: Speech = Field(default_factory=Speech)\n",
            "    speech: Speech = Speech()\n    mood: str = 'calm'\n",
        ),
    )
    (tmp_path / "before").write_bytes(msgpack.packb(recorded(3, drawn_policy(random.Random(3)))))
    ours = Policy.model_validate(policy(gate={"actions": {"book": {}}})).model_dump(mode="json")
    same, theirs, mood, patience_ms = next_release.says(f"PLAIN = {ours!r}\n{LED}")
    assert same and mood == "calm" and patience_ms == 5, "it replays our call, and reads our policy"
    unknown: set[str] = set()
    assert recorded_policy(theirs, unknown) == recorded_policy(ours) and unknown == UNKNOWN
    found = replay(msgpack.unpackb((tmp_path / "after").read_bytes(), strict_map_key=False))
    assert found.same and found.compared == found.events > 0, "we replay its call"
    with pytest.raises(ValidationError, match="mood"):
        Policy.model_validate(theirs)  # as an author's file

    async def led_here(bench: SwappedCall) -> None:
        await bench.begin(**theirs)
        await bench.swap(AgentLink(), **theirs)
        await bench.swapped()
        assert replay(bench.records).same
        assert fold(bench.records, recorded_policy(ours)).policy == recorded_policy(ours), "its next owner reads it"

    runner(tmp_path, monkeypatch, 60)(led_here)
    (told,) = [record.getMessage() for record in caplog.records if "does not know" in record.getMessage()]
    assert told.endswith("ActionRules.patience_ms, Policy.mood")


# --- the recipe in ARCHITECTURE.md: a field, the version, an example, the bytes -------------------------------------

NEW_FIELD = ('    by: str = ""  # who wrote this for it\n', '    by: str = ""\n    mood: str = ""\n')
RAISED = ("FORMAT = 1 ", "FORMAT = 2 ")
IN_EXAMPLE = ('rec.Cost(1.5, {"call": 1.5}), "", "")', 'rec.Cost(1.5, {"call": 1.5}), "", "", "glad")')


@pytest.fixture
def with_tests(next_release: Release) -> Release:
    """The copy with its tests of recorded versions."""
    tests = next_release.folder / "tests"
    for folder in ("support", "fixtures"):
        shutil.copytree(ROOT / "tests" / folder, tests / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tests / "unit").mkdir()
    shutil.copy(ROOT / "tests/unit/test_recorded.py", tests / "unit")
    return next_release


def run_by(release: Release, *arguments: str) -> tuple[int, str]:
    """A command of that release's Python: its exit code and what it says."""
    support = release.folder / "tests/support"
    environment = {**release.environment, "PYTHONPATH": f"{release.folder}:{support}"}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=release.folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def run_tests(release: Release) -> tuple[int, str]:
    options = ("-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--rootdir=.")
    return run_by(release, "-m", "pytest", *options, "tests/unit/test_recorded.py")


RECORD = "tests/support/contract_examples.py"


def edit_example(release: Release) -> None:
    file = release.folder / RECORD
    text = file.read_text()
    assert text.count(IN_EXAMPLE[0]) == 1
    file.write_text(text.replace(*IN_EXAMPLE))


def test_the_recipe_for_a_field_leaves_the_bytes_of_before_readable(with_tests: Release) -> None:
    before = {path: path.read_bytes() for path in (with_tests.folder / "tests/fixtures").glob("*/*")}
    with_tests.edit("policies/core/records.py", NEW_FIELD, RAISED)
    edit_example(with_tests)
    assert run_by(with_tests, RECORD) == (0, "")
    assert run_tests(with_tests)[0] == 0, run_tests(with_tests)[1]
    assert all(path.read_bytes() == data for path, data in before.items())
    assert (with_tests.folder / "tests/fixtures/format-2/records.z").exists()


def test_a_field_without_a_raised_version_is_told_and_not_recorded(with_tests: Release) -> None:
    with_tests.edit("policies/core/records.py", NEW_FIELD)  # and no example has it: the bytes are the same
    code, said = run_tests(with_tests)
    assert code == 1 and "raise FORMAT" in said and "End.mood is new" in said
    code, said = run_by(with_tests, RECORD)
    assert code == 1 and "format-1 is recorded" in said and "--unreleased" in said
    assert run_by(with_tests, RECORD, "--unreleased", "format-1") == (0, "")
    assert run_tests(with_tests)[0] == 0, run_tests(with_tests)[1]
