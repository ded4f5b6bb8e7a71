"""What gives types to messages and records, measured: how long each way takes, and what it weighs.

    python tests/benchmarks/contracts.py [--json FILE]

Ways over the same msgpack bytes: "by hand" unpacks and matches positions, as was done before there were declarations;
"generated" unpacks and reads by the declarations of this tree; "convert" unpacks and has msgspec make structs of that;
"structs" has msgspec decode the bytes. The last two need `pip install msgspec`, else they are left out. Times are the
least of several runs, per message. Weights are PSS of a fresh process that imports what a call's process does.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
from offhook.actors.contracts.message import read
from offhook.actors.contracts.messages import TO_CALL_FROM_GATEWAY, Audio, Play
from offhook.actors.contracts.node_messages import TO_SUPERVISOR, Journal
from offhook.policies.core.codec import encode
from offhook.policies.core.events import SpeechMeasured
from offhook.policies.core.records import EVENT, Place, Record, record_of

RUNS, TIMES = 7, 50_000
FRAME = b"\x55" * 160
PLACE = Place("MZ0123", 7_000, 2, 300, 120_000, 40, -1, 1)
MEASURED = SpeechMeasured(123_456, 123_000, 456, -23.5, 14.25, 121.0)
RECORDS = [
    Record("call-1", 1, 7, 123_456, "place", PLACE.plain()),
    Record("call-1", 1, 8, 123_456, EVENT, encode(MEASURED)),
]
pack = msgpack.Packer(autoreset=True).pack
AUDIO = pack(("a", 7_000, FRAME))
JOURNAL = pack(("journal", RECORDS))

WEIGHED = """
import gc, sys
import offhook.actors.call.call_actor, offhook.actors.call.warm_up as warm_up
for name in ("warm_up", "warm"):
    getattr(warm_up, name, lambda: None)()
{more}
gc.collect()
rollup = open("/proc/self/smaps_rollup").read()
print(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:")))
"""
STRUCTS = """
import msgspec, msgspec.msgpack
from offhook.actors.contracts import engine_messages, messages, node_messages
from offhook.actors.contracts.message import Message
import typing
for module in (messages, node_messages, engine_messages):
    for kind in list(vars(module).values()):
        if isinstance(kind, type) and issubclass(kind, Message) and kind is not Message:
            hints = typing.get_type_hints(kind)
            fields = [(name, hints[name]) for name in kind.FIELDS]
            made = msgspec.defstruct(kind.__name__, fields, array_like=True, tag=kind.NAME)
            msgspec.msgpack.Decoder(made)
"""


def by_hand_audio() -> int:
    message = msgpack.unpackb(AUDIO)
    if message[0] == "a" and len(message) == 3 and type(message[1]) is int and type(message[2]) is bytes:
        return int(message[1])
    raise ValueError


def generated_audio() -> int:
    message = read(msgpack.unpackb(AUDIO), TO_CALL_FROM_GATEWAY)
    assert isinstance(message, Audio)
    return message.seq


def by_hand_journal() -> int:
    message = msgpack.unpackb(JOURNAL)
    match message:
        case ["journal", list(records)] if all(isinstance(r, list) and len(r) == 6 for r in records):
            return int(records[-1][2])
    raise ValueError


def generated_journal() -> int:
    message = read(msgpack.unpackb(JOURNAL), TO_SUPERVISOR)
    assert isinstance(message, Journal)
    return list(map(record_of, message.records))[-1].seq


def by_hand_place() -> int:
    match msgpack.unpackb(_PLACE):
        case [str(), int(), int(), int(), int(), int(), int(), *_] as body:
            return len(body)
    raise ValueError


def generated_place() -> int:
    return Place.read(msgpack.unpackb(_PLACE)).frames


_PLACE = pack(PLACE.plain())


def ways() -> dict[str, dict[str, Callable[[], Any]]]:
    """What is done -> way -> how."""
    found: dict[str, dict[str, Callable[[], Any]]] = {
        "receive a frame": {"by hand": by_hand_audio, "generated": generated_audio},
        "send a frame": {
            "by hand": lambda: pack(("play", 1, FRAME)),
            "generated": lambda: pack(Play(1, FRAME)),
        },
        "receive two records": {"by hand": by_hand_journal, "generated": generated_journal},
        "read a place": {"by hand": by_hand_place, "generated": generated_place},
    }
    if importlib.util.find_spec("msgspec") is None:
        return found
    import msgspec

    def struct(name: str, *fields: tuple[str, Any], tag: str | None = None) -> Any:
        return msgspec.defstruct(name, fields, array_like=True, tag=tag)

    audio = struct("Audio", ("seq", int), ("sound", bytes), tag="a")
    play = struct("Play", ("epoch", int), ("sound", bytes), tag="play")
    row = struct("Row", *zip(Record._fields, (str, int, int, int, str, Any), strict=True))
    journal = struct("Journal", ("records", list[row]), tag="journal")
    place = struct("Place", ("stream", str), *[(name, int) for name in ("a", "b", "c", "d", "e", "f", "g")])
    read_audio, read_journal, read_place = (msgspec.msgpack.Decoder(each) for each in (audio, journal, place))
    write = msgspec.msgpack.Encoder().encode
    more: dict[str, dict[str, Callable[[], Any]]] = {
        "receive a frame": {
            "convert": lambda: msgspec.convert(msgpack.unpackb(AUDIO), audio).seq,
            "structs": lambda: read_audio.decode(AUDIO).seq,
        },
        "send a frame": {"structs": lambda: write(play(1, FRAME))},
        "receive two records": {
            "convert": lambda: msgspec.convert(msgpack.unpackb(JOURNAL), journal).records[-1].seq,
            "structs": lambda: read_journal.decode(JOURNAL).records[-1].seq,
        },
        "read a place": {
            "convert": lambda: msgspec.convert(msgpack.unpackb(_PLACE), place).a,
            "structs": lambda: read_place.decode(_PLACE).a,
        },
    }
    return {what: {**each, **more[what]} for what, each in found.items()}


def weight_kb(more: str = "") -> int:
    """PSS of a process like a call's, with something beside it; the least of five."""
    command = [sys.executable, "-c", WEIGHED.format(more=more)]
    return min(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    chosen = parser.parse_args()
    figures: dict[str, Any] = {
        what: {way: min(timeit.repeat(run, number=TIMES, repeat=RUNS)) / TIMES * 1e6 for way, run in each.items()}
        for what, each in ways().items()
    }
    weights = {"as it is": weight_kb()}
    if importlib.util.find_spec("msgspec") is not None:
        weights["with msgspec's structs"] = weight_kb(STRUCTS)
    for what, each in figures.items():
        print(f"{what:20}", "  ".join(f"{way} {us:.2f} us" for way, us in each.items()))
    print(f"{'weight':20}", "  ".join(f"{way} {kb / 1_000:.1f} MB" for way, kb in weights.items()))
    if chosen.json:
        chosen.json.write_text(json.dumps({**figures, "weight_kb": weights}, indent=2))


if __name__ == "__main__":
    main()
