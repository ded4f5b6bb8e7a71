"""Records: declared once, written and read by that; what an older or a newer release does not know costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgpack
import pytest
from booking_call import at_the_read_back
from dialogue import Dialogue
from journals import renumbered
from offhook.actors.call.resume import fold, trimmed
from offhook.actors.contracts.errors import ProtocolFault
from offhook.policies.core.codec import encode
from offhook.policies.core.layout import CodecFault, array_decoder, array_encoder, map_decoder, map_encoder
from offhook.policies.core.records import (
    COMMANDS,
    EVENT,
    SNAPSHOT,
    VERDICT,
    End,
    Lost,
    Measure,
    Place,
    PolicyChange,
    Record,
    Start,
    record_of,
)
from offhook.policies.core.state import CallState
from offhook.policies.core.version import CORE
from offhook.policies.replay.account import account
from offhook.policies.replay.recording import read
from offhook.policies.replay.replay import JournalFault, replay
from offhook.serve.views.call_summary import CallSummary

OTHER = CORE + 1


@pytest.fixture(scope="module")
def call() -> Dialogue:
    """A call in which a time was booked."""
    booked = at_the_read_back()
    booked.caller_says("Yes, that's right.")
    assert booked.performed
    return booked


# --- one record -----------------------------------------------------------------------------------------------------


def test_a_record_is_packed_as_its_array_and_comes_back() -> None:
    record = Record("c1", 1, 7, 900, End.KIND, End("booked", why="asked").plain())
    assert record.body == {"outcome": "booked", "why": "asked"}, "what says nothing is left out of a map"
    array = msgpack.unpackb(msgpack.packb(record))
    assert array == ["c1", 1, 7, 900, "end", {"outcome": "booked", "why": "asked"}]
    assert record_of(array) == record and record_of(array).told(End) == End("booked", why="asked")
    assert record_of(array).told(Start) is None and record_of(array).event() is None


def test_what_a_later_release_adds_is_passed_over() -> None:
    assert record_of(["c1", 1, 7, 900, "end", {}, "added", 5]) == Record("c1", 1, 7, 900, "end", {})
    assert End.read({"outcome": "booked", "mood": "glad", "cost": {"cents": 2.0, "tax": 1}}).cost.cents == 2.0
    assert Place.read(["MZ1", 7, 0, 0, 0, 1, -1, 1, "added"]).frames == 7


def test_what_an_earlier_release_did_not_write_has_its_default() -> None:
    assert Place.read(["MZ1", 7, 0, 0, 0, 1, -1]) == Place("MZ1", 7, segment=1), "as it was before it had a core"
    before = Start.read({"unix_ms": 5, "policy_version": "v", "policy": {}, "direction": "outbound"})
    assert (before.unix_ms, before.direction, before.anchor, before.format, before.core) == (
        5,
        "outbound",
        ("", 0),
        0,
        0,
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["c1", 1, 7, 900, "end"], "6 fields"),
        ("c1", "6 fields"),
        (None, "6 fields"),
        (["c1", 1, "7", 900, "end", {}], "whole numbers"),
        (["c1", 1, True, 900, "end", {}], "whole numbers"),
        (["c1", 1, 7, 900, b"end", {}], "are text"),
    ],
)
def test_what_is_no_record_is_refused(row: Any, said: str) -> None:
    with pytest.raises(CodecFault, match=said):
        record_of(row)


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (PolicyChange, {"version": "v"}, "PolicyChange.policy is missing"),
        (PolicyChange, {"policy": []}, "PolicyChange.policy: needs a map, got list"),
        (End, [], "End: needs a map, got list"),
        (End, {"outcome": 5}, "End.outcome: needs str, got int"),
        (Lost, {"why": ""}, "Lost.from is missing"),
        (Place, {"stream": "x"}, "Place: needs an array, got dict"),
        (Place, ["MZ1", "7"], "Place.frames: needs int, got str"),
        (Start, {"anchor": ["boot"]}, "Start.anchor: needs an array of 2"),
    ],
)
def test_a_body_that_is_none_is_refused_by_the_field(kind: Any, body: Any, said: str) -> None:
    with pytest.raises(CodecFault, match=said):
        kind.read(body)


# --- adding a field -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("encoder", "decoder"), [(array_encoder, array_decoder), (map_encoder, map_decoder)])
def test_a_field_is_added_in_its_declaration_alone(encoder: Any, decoder: Any) -> None:
    @dataclass(frozen=True)
    class Today:
        what: str
        ms: int = 0

    @dataclass(frozen=True)
    class Tomorrow:
        what: str
        ms: int = 0
        by: str = "nobody"

    told = msgpack.unpackb(msgpack.packb(encoder(Tomorrow)(Tomorrow("hold", 40, "ann"))))
    assert decoder(Tomorrow)(told) == Tomorrow("hold", 40, "ann"), "it is written, and read back"
    assert decoder(Today)(told) == Today("hold", 40), "who does not know it passes over it"
    assert decoder(Tomorrow)(encoder(Today)(Today("hold", 40))) == Tomorrow("hold", 40), "who misses it has the default"


# --- readers --------------------------------------------------------------------------------------------------------


def test_readers_pass_over_kinds_that_they_do_not_know(call: Dialogue) -> None:
    journal = renumbered(call.journal)
    stranger = Record("c1", 1, 0, 0, "weather", {"rain": True})
    strange = renumbered(each for record in journal for each in (record, stranger))
    assert replay(strange).same and replay(strange).state == call.state
    assert [row.words for row in account(strange)] == [row.words for row in account(journal)]
    assert len(read(strange).steps) == len(read(journal).steps)
    assert fold(list(map(trimmed, strange)), call.policy).state == call.state
    assert CallSummary("Dana").fold(stranger) == []


def test_a_measure_of_a_later_release_is_shown_as_far_as_it_is_known() -> None:
    summary = CallSummary("Dana")
    measured = Record("c1", 1, 1, 5, Measure.KIND, {"what": "hold", "us": 4, "where": "new"})
    assert summary.fold(measured) == [] and summary.seq == 1


# --- another version of the core ------------------------------------------------------------------------------------


def led_by(core: int, journal: list[Record]) -> list[Record]:
    """The journal, whose beginning says which core led the call."""
    start = journal[0].told(Start)
    assert start is not None
    told = Start(start.policy_version, start.policy, core=core)
    return [journal[0]._replace(body=told.plain()), *journal[1:]]


def spoilt(journal: list[Record]) -> list[Record]:
    """The journal, with a decision in it that this core does not make."""
    at = next(at for at, record in enumerate(journal) if record.kind == COMMANDS)
    return [*journal[:at], journal[at]._replace(body=[["HangUp", "another idea"]]), *journal[at + 1 :]]


def test_replay_names_another_core_and_does_not_call_it_a_difference(call: Dialogue) -> None:
    journal = spoilt(renumbered(call.journal))
    assert replay(led_by(CORE, journal)).divergence is not None
    assert replay(journal).divergence is not None, "a journal that does not say is held against this core"
    found = replay(led_by(OTHER, journal))
    assert found.same and found.compared == 0 and found.events == sum(record.kind == EVENT for record in journal)
    assert f"({OTHER}; this one is {CORE})" in found.uncompared and not replay(led_by(CORE, journal)).uncompared


def test_after_a_takeover_it_is_compared_from_the_next_snapshot_on(call: Dialogue) -> None:
    journal = renumbered(call.journal)
    events = [at for at, record in enumerate(journal) if record.kind == EVENT]
    half = events[len(events) // 2]
    state = replay(journal[:half]).state
    place = Record("c1", 1, 0, 0, Place.KIND, Place(core=CORE).plain())
    snapshot = Record("c1", 1, 0, 0, SNAPSHOT, encode(state))
    first = led_by(OTHER, journal[:half])
    found = replay(renumbered([*spoilt(first), place, snapshot, *journal[half:]]))
    assert found.same and found.uncompared and found.state == call.state
    assert found.compared == len(events) - len(events) // 2
    assert replay(renumbered([*first, place, snapshot, *spoilt(journal[half:])])).divergence is not None


def taken_over(call: Dialogue, core: int) -> tuple[list[Record], int]:
    """What a new owner gets of the call: cut behind the order to book, led by that core; and where the order stands."""
    journal = renumbered(call.journal)
    at = next(at for at, record in enumerate(journal) if any(type(c).__name__ == "Perform" for c in record.commands()))
    return led_by(core, journal[: at + 1]), at


def test_a_takeover_across_cores_takes_orders_and_keys_as_facts(call: Dialogue) -> None:
    records, at = taken_over(call, OTHER)
    (order,) = [command for command in records[at].commands() if type(command).__name__ == "Perform"]
    other_key = [
        ["Perform", *array[1:4], "another key", *array[5:]] for array in records[at].body if array[0] == "Perform"
    ]
    records[at] = records[at]._replace(body=other_key)
    legacy = fold(list(map(trimmed, records)), call.policy)
    assert legacy.other_core == OTHER and legacy.unwritten == ()
    (asked,) = [each for each in legacy.orders if type(each).__name__ == "Perform"]
    assert (asked.action, asked.key) == (order.action, "another key"), "not the key that this core would give"


def test_a_takeover_across_cores_orders_nothing_that_was_not_ordered(call: Dialogue) -> None:
    records, at = taken_over(call, OTHER)
    records[at] = records[at]._replace(body=[array for array in records[at].body if array[0] != "Perform"])
    assert fold(list(map(trimmed, records)), call.policy).orders == []
    within, _ = taken_over(call, CORE)
    assert [type(each).__name__ for each in fold(list(map(trimmed, within)), call.policy).orders] == ["Perform"]


def test_a_takeover_across_cores_passes_over_events_that_it_cannot_fold(call: Dialogue) -> None:
    records, at = taken_over(call, OTHER)
    strange = Record("c1", 1, 0, 0, EVENT, ["SpeechTelepathized", 5])
    cut = renumbered([*records[: at - 1], strange, *records[at - 1 :]])
    assert fold(list(map(trimmed, cut)), call.policy).state.stage == fold(records, call.policy).state.stage
    within, _ = taken_over(call, CORE)
    with pytest.raises(CodecFault, match="SpeechTelepathized"):
        fold(renumbered([*within[: at - 1], strange, *within[at - 1 :]]), call.policy)


def foreign(state: CallState) -> list[Any]:
    """A snapshot whose stage this core does not know."""
    array = encode(state)
    assert array.count(str(state.stage)) == 1
    return [each if each != str(state.stage) else "hypnotized" for each in array]


def with_snapshots(call: Dialogue, core: int) -> tuple[list[Record], list[Record]]:
    """A call that another core has led: a snapshot that this one can read, then, behind the order, one that it cannot.

    Returns:
        All of it, and what follows the first snapshot with it.
    """
    records, _ = taken_over(call, core)
    half = [at for at, record in enumerate(records) if record.kind == EVENT][10]
    whole, tail = replay(records), replay(records[:half])
    place = Record("c1", 1, 0, 0, Place.KIND, Place("MZ1", core=core).plain())
    first = Record("c1", 1, 0, 0, SNAPSHOT, encode(tail.state))
    second = Record("c1", 1, 0, 0, SNAPSHOT, foreign(whole.state))
    journal = renumbered([*records[:half], first, place, *records[half:], second, place])
    return journal, journal[half:]


@pytest.mark.parametrize("whole", [True, False])
def test_a_takeover_across_cores_passes_over_a_snapshot_that_it_cannot_read(call: Dialogue, whole: bool) -> None:
    records = with_snapshots(call, OTHER)[0 if whole else 1]
    legacy = fold(list(map(trimmed, records)), call.policy)
    assert legacy.state.turn == call.state.turn and legacy.state.call == "c1" and legacy.state.slots
    assert [type(each).__name__ for each in legacy.orders] == ["Perform"], "the order is a fact all the same"
    with pytest.raises(CodecFault, match="stage: needs one of"):
        fold(list(map(trimmed, with_snapshots(call, CORE)[0])), call.policy)


def test_a_call_of_which_another_core_left_nothing_that_is_read_is_refused(call: Dialogue) -> None:
    records = with_snapshots(call, OTHER)[1][-2:]
    with pytest.raises(ProtocolFault, match=f"core {OTHER} has led this call; core {CORE} can read no state"):
        fold(records, call.policy)


def test_a_takeover_across_cores_passes_over_orders_that_it_cannot_read(call: Dialogue) -> None:
    records, at = taken_over(call, OTHER)
    body = [["Perform", 5], ["Levitate", "g9"], *records[at].body]
    records[at] = records[at]._replace(body=body)
    legacy = fold(list(map(trimmed, records)), call.policy)
    assert [type(each).__name__ for each in legacy.orders] == ["Perform"]


def test_replay_and_backtest_across_cores_say_what_they_cannot_read(call: Dialogue) -> None:
    journal, _ = with_snapshots(call, OTHER)
    verdict = Record("c1", 1, 0, 0, VERDICT, ["Verdict", "v1", "p1", "booking", "telepathy"])
    strange = Record("c1", 1, 0, 0, EVENT, ["SpeechTelepathized", 5])
    journal = renumbered([*journal, verdict, strange])
    assert replay(journal).same and replay(journal).uncompared
    with pytest.raises(JournalFault, match=f"led by core {OTHER}.*SpeechTelepathized.*a release of that core"):
        read(journal)
    with pytest.raises(CodecFault, match="SpeechTelepathized"):
        read(renumbered([*call.journal, strange]))
