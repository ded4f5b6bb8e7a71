"""One example of every declared message and of every kind of record, and the bytes that a release has made of them.

    python tests/support/contract_examples.py        records the present versions, beside older ones

`tests/fixtures/` keeps of each version, for ever, its bytes, what they say by the names of fields (`told.json`) and
what was declared (`schema.json`); `tests/unit/test_recorded.py` reads them with the declarations of today.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import typing
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import contract_schema as schemas
import msgpack
from offhook.actors.audio.format import TELEPHONE
from offhook.actors.contracts import engine_messages as engine
from offhook.actors.contracts import messages as say
from offhook.actors.contracts import node_messages as node
from offhook.actors.contracts.message import Message
from offhook.policies.core import records as rec
from offhook.policies.core.codec import encode
from offhook.policies.core.commands import Perform, Say
from offhook.policies.core.events import LineClosed, SpeechMeasured
from offhook.policies.core.proposals import Answer, Kind, Purpose, RuleResult, Verdict
from offhook.policies.core.state import CallState
from offhook.policies.core.version import CORE
from offhook.policies.simulation.drawn import drawn_policy
from offhook.policies.simulation.journal import recorded

FIXTURES = Path(__file__).parents[1] / "fixtures"
TOLD, SCHEMA, CALL = "told.json", "schema.json", "call.z"
SOUND = bytes(range(16))

MESSAGES: tuple[Message, ...] = (
    say.Bye("not now"),
    say.GatewayHello("MZ1", TELEPHONE.name, 12, ["u1/1.1/400", 20, 60, 0], 1, True),
    say.SubscriberHello("booking", "agent", ["floor"], 4, 1),
    say.Past(3, SOUND),
    say.Audio(4, SOUND),
    say.Marked("u1/1.1/400"),
    say.Digit("5", 2),
    say.Stopped("the caller hung up"),
    say.Ack(2, 40),
    say.Play(2, SOUND),
    say.Mark(2, "u1/1.1/400"),
    say.Pace(2, 5),
    say.Clear(2),
    say.Hangup(2, "completed"),
    say.Transfer(2, "+15550199"),
    say.Notice(7, 30, 4, "floor", {"holder": "caller"}),
    say.Invite(4, 30, "turn_ended", 150, {"floor": "agent"}),
    say.Remember(1),
    say.Upgrade({"asked": ["time"]}),
    say.Gone("the call is over"),
    say.Answer(4, 30, [["Proposal", "p1", "booking", "say", 4, 30]], None, [], 1, True),
    say.Memory(1, {"asked": ["time"]}, True),
    say.Failed(4, 30, "ValueError at agents/one.py:3", ["agents/one.py:3 in propose"], "no"),
    node.ResidentHello("call", "call-1", 77, "n1", "unix:/x", {"call": "c1"}, 1),
    node.Beat(1.5, True, [["offhook_core_faults", [], 1.0, []]]),
    node.Journal([["c1", 1, 7, 900, "event", ["LineClosed", 900, "over"]]]),
    node.Assigned("c1", 1, ""),
    node.Ended("c1", 1, "booked"),
    node.Perform("c1", 1, "g1", "book", [["time", "ten"]], "c1/book"),
    node.Withdraw("c1", 1, "g1", "book", [["time", "ten"]], "c1/book"),
    node.Attached("c1", "booking", ""),
    node.GaveUp("c1", "booking", "failed too often"),
    node.Offered("c1", 1, "v2"),
    node.Swapped("c1", 1, "v2", ""),
    node.Reply(3, {"calls": 1}),
    node.Assign("c1", 1, {"call": "c1", "epoch": 1}),
    node.Attach("c1", 1, "booking", "unix:/y", "token"),
    node.Detach("c1"),
    node.Swap("c1", 1, "v2", {"name": "v"}, {"booking": "token"}, 500, "keep", ""),
    node.Journaled("c1", 1, 7),
    node.JournalGone("the disk is full"),
    node.Begun("c1/book", "g1"),
    node.Performed("c1/book", True, "booked", False, "g1"),
    node.Retire("the node leaves"),
    node.Told("c1", ["HangupRequested", 0, "ann", "enough"]),
    node.EnginesMoved("c1", [["unix:/r", "token"]], []),
    node.Owner("c1", 2, "unix:/z", "token"),
    node.Query(3, "stats", []),
    engine.EngineHello(TELEPHONE.name, 1),
    engine.Open("c1/1", 1_200, {"language": "en"}),
    engine.Sound("c1/1", SOUND, 1),
    engine.Close("c1/1"),
    engine.Refused("c1/1", "no such language"),
    engine.Words("c1/1", 2, "yes please", True, 1_200, 1_900.5),
    engine.Speak("u1", "Hello.", "joe", {"language": "en"}),
    engine.Cancel("u1"),
    engine.Spoken("u1", 480),
    engine.Spoke("u1", SOUND),
    engine.Timing("u1", [["Hello.", 480]], 1),
    engine.Unspoken("u1", "the disk is full"),
)

_RULES = (RuleResult("readiness", "0.6", "0.8", True),)
_VERDICT = Verdict("v1", "p1", "booking", Kind.TOOL, "book", Answer.GRANT, 900, 30, 4, "booking", "proposed", _RULES)
_ORDER = Perform("g1", "book", (("time", "ten"),), "c1/book", True)

BODIES: tuple[rec.Body, ...] = (
    rec.Start("v1", {"name": "v"}, 1_000, "outbound", ("boot", 77), "sales-1/0/1", "acme", 1, 1),
    rec.PolicyChange({"name": "w"}, "v2", "asked"),
    rec.Place("MZ1", 7, 2, 30, 1_200, 4, -1, 1),
    rec.Measure(rec.HOLD, "u1", us=410),
    rec.Fault("step", "SpeechEnded", "ValueError", "line 3", ["SpeechEnded", 1], ""),
    rec.Lost(4, "the journal was away for too long", "snapshot"),
    rec.End("booked", {"frames": 9}, {"cpu_s": 0.5}, rec.Cost(1.5, {"call": 1.5}), "", ""),
)
PLAIN: dict[str, Any] = {  # kinds whose bodies are codec arrays: what they say
    rec.EVENT: SpeechMeasured(900, 850, 50, -23.5, 14.25, 121.0),
    rec.UNFOLDED: LineClosed(900, "over"),
    rec.COMMANDS: (Say("u1", "Hello.", Purpose.GREETING, True, "g1"), _ORDER),
    rec.VERDICT: _VERDICT,
    rec.SNAPSHOT: CallState(call="c1", epoch=1, turn=4),
}


def records() -> list[rec.Record]:
    """A record of every declared kind, as it is written today."""
    return _numbered([(body.KIND, body.plain()) for body in BODIES])


def codec_records() -> list[rec.Record]:
    """A record of every kind whose body is the codec's, as it is written today."""
    return _numbered(
        [
            (kind, list(map(encode, thing)) if isinstance(thing, tuple) else encode(thing))
            for kind, thing in PLAIN.items()
        ]
    )


def _numbered(bodies: list[tuple[str, Any]]) -> list[rec.Record]:
    return [rec.Record("c1", 1, seq, 900, kind, body) for seq, (kind, body) in enumerate(bodies, start=1)]


def call() -> list[rec.Record]:
    """A whole simulated call, with acts in it."""
    return recorded(3, drawn_policy(random.Random(3)), fault_share=0.3)


# --- what a version leaves behind -----------------------------------------------------------------------------------


class Made(NamedTuple):
    """What one version is recorded by: arrays by file, what they say by the names of fields, and what is declared."""

    arrays: dict[str, Sequence[Any]]
    told: list[list[Any]]  # [declaration, values] of each array of the first file
    schema: schemas.Schema


def made() -> dict[str, Made]:
    """What the present versions leave behind, by their folders."""
    return {
        f"protocol-{say.PROTOCOL}": Made(
            {"messages.z": MESSAGES},
            [[schemas.name_of_message(type(each)), schemas.shown(each)] for each in MESSAGES],
            schemas.of_messages(),
        ),
        f"format-{rec.FORMAT}": Made(
            {"records.z": records()}, [[body.KIND, schemas.shown(body)] for body in BODIES], schemas.of_records()
        ),
        f"core-{CORE}": Made(
            {"codec.z": codec_records(), CALL: call()},
            [[kind, schemas.shown(thing)] for kind, thing in PLAIN.items()],
            schemas.of_core(),
        ),
    }


def read(path: Path) -> list[list[Any]]:
    """What a fixture holds, one array after the other."""
    unpacker = msgpack.Unpacker(strict_map_key=False)
    unpacker.feed(zlib.decompress(path.read_bytes()))
    return list(unpacker)


def packed(things: Sequence[Any]) -> list[Any]:
    """The same arrays as `read` would give them back."""
    return [msgpack.unpackb(msgpack.packb(each), strict_map_key=False) for each in things]


def told(folder: Path) -> list[list[Any]]:
    """What the arrays of a version's first file say."""
    return typing.cast(list[list[Any]], json.loads((folder / TOLD).read_text()))


def schema(folder: Path) -> schemas.Schema:
    """What a version has declared."""
    return typing.cast(schemas.Schema, json.loads((folder / SCHEMA).read_text()))


def same(folder: Path, version: Made) -> bool:
    """Whether a folder holds just that. A simulated call may run otherwise by what is simulated: it is replayed."""
    try:
        arrays = all(read(folder / name) == packed(things) for name, things in version.arrays.items() if name != CALL)
        return arrays and told(folder) == version.told and schema(folder) == version.schema
    except FileNotFoundError:
        return False


def write(folder: Path, version: Made) -> None:
    """Record a version in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, things in version.arrays.items():
        (folder / name).write_bytes(zlib.compress(b"".join(map(msgpack.packb, things)), 9))
    (folder / TOLD).write_text("[\n" + ",\n".join(map(json.dumps, version.told)) + "\n]\n")
    rows = (f"{json.dumps(name)}: {json.dumps(declared)}" for name, declared in version.schema.items())
    (folder / SCHEMA).write_text("{\n" + ",\n".join(rows) + "\n}\n")


def record_versions(fixtures: Path, unreleased: Collection[str]) -> list[str]:
    """Record what has no folder yet; a folder that is there is written over only where it is among `unreleased`.

    Returns:
        What was refused: folders that hold something else than this tree makes.
    """
    refused = []
    for name, version in made().items():
        folder = fixtures / name
        if name not in unreleased and same(folder, version):
            continue
        if name not in unreleased and folder.exists():
            refused.append(f"{folder} is recorded, and this tree writes otherwise: raise its version. {UNRELEASED}")
        else:
            write(folder, version)
    return refused


UNRELEASED = "Only where no release has had that version: --unreleased FOLDER writes it over."

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--unreleased",
        metavar="FOLDER",
        nargs="+",
        default=[],
        help="write these anew (as protocol-2): versions that no release has had, so that nobody has bytes of them",
    )
    sys.exit("\n".join(record_versions(FIXTURES, parser.parse_args().unreleased)) or None)
