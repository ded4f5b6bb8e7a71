"""One example of every declared message and of every kind of record, and the bytes that a release has made of them.

    python tests/support/contract_examples.py        writes those of the present formats, beside those of older ones

`tests/fixtures/` keeps the bytes for ever; `tests/unit/test_recorded.py` reads them with the declarations of today.
"""

from __future__ import annotations

import random
import zlib
from pathlib import Path
from typing import Any

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
    node.Beat(1.5, True),
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
    """A record of every kind, as it is written today."""
    bodies: list[tuple[str, Any]] = [(body.KIND, body.plain()) for body in BODIES]
    for kind, thing in PLAIN.items():
        bodies.append((kind, list(map(encode, thing)) if isinstance(thing, tuple) else encode(thing)))
    return [rec.Record("c1", 1, seq, 900, kind, body) for seq, (kind, body) in enumerate(bodies, start=1)]


def call() -> list[rec.Record]:
    """A whole simulated call, with acts in it."""
    return recorded(3, drawn_policy(random.Random(3)), fault_share=0.3)


def read(path: Path) -> list[list[Any]]:
    """What a fixture holds, one array after the other."""
    unpacker = msgpack.Unpacker(strict_map_key=False)
    unpacker.feed(zlib.decompress(path.read_bytes()))
    return list(unpacker)


def write(path: Path, things: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zlib.compress(b"".join(map(msgpack.packb, things)), 9))


if __name__ == "__main__":
    write(FIXTURES / f"protocol-{say.PROTOCOL}" / "messages.z", MESSAGES)
    write(FIXTURES / f"format-{rec.FORMAT}" / "records.z", records())
    write(FIXTURES / f"core-{CORE}" / "call.z", call())
