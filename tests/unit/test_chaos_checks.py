"""The checks of chaos find what is wrong, each its own kind, and nothing in a journal and a line that are right."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from offhook.actors.journals.journal import Kept
from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode
from offhook.policies.core.records import Lost, Record
from offhook.policies.simulation import faults
from offhook.policies.simulation.drawn import drawn_policy
from offhook.policies.simulation.journal import recorded
from offhook.serve.chaos.journal_checks import Account, Evidence, Struck, actions, check_journal
from offhook.serve.chaos.line_checks import check_line

LINE = {
    "events": [],
    "gaps": [],
    "interruptions": [],
    "ended": "the caller hung up",
    "duration_ms": 60_000,
    "clock_late_ms_max": 0,
}


@pytest.fixture(autouse=True)
def _answers_come_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever carries an order drops a second answer to it (`tool_calls.py`), so no journal of a real call has one."""
    monkeypatch.setattr(faults, "REPEATED", 0.0)


def journal(seed: int = 3) -> list[Record]:
    return recorded(seed, drawn_policy(random.Random(seed)), fault_share=0.3)


def found(records: list[Record], acts: Any = None, *struck: Struck) -> list[str]:
    account = check_journal(Evidence("c1", records, dict(LINE), struck=struck, acts=acts))
    return [violation.checker for violation in account.violations]


@pytest.mark.parametrize("seed", range(1, 25))
def test_a_journal_that_is_right_has_nothing_wrong_in_it(seed: int) -> None:
    records = journal(seed)
    account = check_journal(Evidence("c1", records, dict(LINE)))
    assert not account.violations
    assert account.counts["records"] == len(records)
    assert account.counts["grants"] >= account.counts["grants that ended"]
    said = sum(c[0] == "Say" for record in records if record[4] == "commands" for c in record[5])
    assert sum(count for what, count in account.counts.items() if what.startswith("utterances")) == said


def test_a_record_that_is_missing_is_found_and_one_that_is_told_to_be_lost_is_not() -> None:
    records = journal()
    middle = len(records) // 2
    gone = records[:middle] + records[middle + 1 :]
    assert "every record is there" in found(gone)
    dropped = Kept("c1", 1, records[-1][2], 0, True, dropped=1)
    evidence = Evidence("c1", gone, dict(LINE), kept=dropped)
    assert "every record is there" not in [each.checker for each in check_journal(evidence).violations]
    told = list(records)
    lost = Lost(told[-2].seq, "the journal was away for too long")
    told[-2] = told[-2]._replace(kind=lost.KIND, body=lost.plain())
    assert "every record is there" not in found(told)


def test_an_epoch_that_falls_back_or_comes_unannounced_is_found() -> None:
    records = journal()
    back = [record._replace(epoch=2) for record in records[:5]] + records[5:]
    assert "one live epoch" in found(back)
    unannounced = records[:5] + [record._replace(epoch=7) for record in records[5:]]
    assert "one live epoch" in found(unannounced)


def test_an_end_that_is_missing_or_not_the_last_is_found() -> None:
    records = journal()
    assert found(records[:-1]) == ["every call ends once"]
    assert "every call ends once" in found([*records, records[-1]._replace(seq=records[-1].seq + 1)])


def test_a_decision_that_replay_does_not_make_is_found() -> None:
    records = copy.deepcopy(journal())
    commands = next(record for record in records if record[4] == "commands" and any(c[0] == "Say" for c in record[5]))
    say = next(c for c in commands[5] if c[0] == "Say")
    say[2] = "something else"
    assert "replay gives the same decisions" in found(records)


def test_a_clock_that_runs_back_is_found() -> None:
    records = journal()
    last = max(at for at, record in enumerate(records) if record.kind == "event")
    records[last] = records[last]._replace(at_ms=1)
    assert "the call's clock never runs back" in found(records)


def ordered() -> tuple[list[list[Any]], str]:
    """A journal in which a tool was ordered, and its key."""
    for seed in range(1, 200):
        records = journal(seed)
        for record in records:
            for command in record[5] if record[4] == "commands" else ():
                if command[0] == "Perform":
                    return records, command[4]
    raise AssertionError("no simulated call acts")


def test_an_act_that_nobody_ordered_or_that_was_done_twice_is_found() -> None:
    records, key = ordered()
    finished = any(r[4] == "event" and r[5][0] == "ActionFinished" and r[5][3] for r in records)
    keys = {c[4] for r in records if r[4] == "commands" for c in r[5] if c[0] == "Perform"}
    right = [["book_meeting", each, 1] for each in keys]
    assert found(records, right) == []
    assert found(records, [*right, ["book_meeting", "another", 1]]) == ["no act without an order"]
    twice = [["book_meeting", each, 2 if each == key else 1] for each in keys]
    assert found(records, twice) == ["no act twice"]
    assert found(records, twice, Struck(0, "supervisor_kill", "")) == []  # asked again under its key, as it should be
    assert found(records, twice, Struck(0, "supervisor_kill", "", missed="nothing there")) == ["no act twice"]
    thrice = [["book_meeting", each, 3 if each == key else 1] for each in keys]
    assert found(records, thrice, Struck(0, "node_kill", "")) == ["no act twice"]  # one fault explains one more
    if finished:
        assert "every act is in the register" in found(records, [])


def acted(*steps: Any) -> list[Record]:
    """A journal's records of acts: a command, or an event."""
    plain = [(step.at_ms, "event", encode(step)) if isinstance(step, ev.Event) else step for step in steps]
    return [Record("c1", 1, n + 1, at_ms, kind, body) for n, (at_ms, kind, body) in enumerate(plain)]


def wrong_acts(records: list[Record], tries: int) -> list[str]:
    account = Account()
    actions(Evidence("c1", records, dict(LINE), acts=[["book", "k1", tries]]), account)
    return [violation.message for violation in account.violations]


def test_a_retry_after_a_failure_is_none_twice_and_an_act_twice_is_one_with_and_without_it() -> None:
    first, second = (
        (at_ms, "commands", [encode(cmd.Perform(grant, "book", (), "k1", False))])
        for at_ms, grant in ((100, "g1"), (300, "g2"))
    )
    failed, done = ev.ActionFinished(200, "g1", False, "taken"), ev.ActionFinished(200, "g1", True, "booked")
    retried = ev.ActionFinished(400, "g2", True, "booked")
    right = acted(first, failed, second, retried)
    assert wrong_acts(right, 2) == []
    assert wrong_acts(right, 3) == [
        "book was begun 3 times for 2 grants, and 0 faults could cut one short: k1",
    ]
    assert wrong_acts(acted(first, failed), 2) != []  # begun again, and nobody has granted it again
    assert wrong_acts(acted(first, done, second), 1) == ["book is ordered twice: k1"]
    assert wrong_acts(acted(first, second), 2) == ["book is ordered twice: k1"]  # the first is still under way
    assert wrong_acts(acted(first, failed, first), 1) == ["book is ordered twice: k1"]  # the same grant
    assert wrong_acts(acted(first, done, done), 1) == ["grant g1 was answered 2 times"]


# --- the caller's side ----------------------------------------------------------------------------------------------


def heard(events: list[ev.Event], line: dict[str, Any], *struck: Struck, marks: Any = ()) -> list[str]:
    records = [Record("c1", 1, n + 1, event.at_ms, "event", encode(event)) for n, event in enumerate(events)]
    records.append(Record("c1", 1, len(records) + 1, 60_000, "end", {"outcome": "caller_hung_up"}))
    account = check_line(Evidence("c1", records, LINE | line, marks, 1_000, struck))
    return [violation.message for violation in account.violations]


def key(digit: str, at_ms: int) -> dict[str, Any]:
    return {"what": "digit", "digit": digit, "at_ms": at_ms}


def test_a_key_that_is_lost_doubled_or_out_of_order_is_found() -> None:
    pressed = {"events": [key("1", 100), key("2", 200)]}
    noted = [ev.DigitPressed(150, "1"), ev.DigitPressed(250, "2")]
    assert heard(noted, pressed) == []
    assert heard(noted[:1], pressed) == ["2 is not; it has ['1']"]
    assert heard([*noted, noted[1]], pressed) == ["['2'] are there that nobody pressed"]
    assert heard(noted[::-1], pressed)
    gateway = Struck(1_100, "gateway_kill", "")
    assert heard(noted[1:], pressed | {"interruptions": [(90, 50)]}, gateway, marks=()) == []


def test_what_the_caller_said_must_have_been_heard_as_speech() -> None:
    line = {"events": [{"what": "says", "clip": "a.wav", "ms": 1_000, "at_ms": 2_000}]}
    answered = ev.LineAnswered(500)
    spurt = ev.SpeechEnded(3_700, 2_600, 3_400, 700, -22.0, 120.0)
    assert heard([answered, spurt], line) == []
    assert "no talkspurt there" in heard([answered], line)[0]
    assert heard([answered], {"events": [line["events"][0] | {"ms": 200}]}) == []  # a cough


def test_a_gap_needs_a_fault_that_explains_one_as_long() -> None:
    gap = {"gaps": [(5_000, 700)]}  # at 6 s of the run's clock
    assert "700 ms; no fault explains" in heard([], gap)[0]
    assert heard([], gap, Struck(5_900, "call_stop", "", "c1")) == []
    assert heard([], gap, Struck(5_900, "call_kill", "", "c1"))  # a takeover must not be heard
    assert heard([], gap, Struck(5_900, "call_stop", "", "c2"))  # another call's process
    assert heard([], gap, Struck(5_900, "call_stop", "", "c1", missed="nothing there"))
    assert heard([], {"gaps": [(5_000, 150)]}) == []
    assert heard([], {"interruptions": [(5_000, 2_000)]}) == ["2000 ms without a stream"]


def test_what_is_noted_as_heard_is_what_the_carrier_played() -> None:
    marks = [(0, "u1/1.1/0"), (800, "u1/1.1/100"), (8_000, "u1/1.1/1000")]
    cleared = {"events": [{"what": "clear", "at_ms": 1_250, "played_bytes": 10_000}]}  # 1,250 ms of u1 were played
    assert heard([ev.PlaybackStopped(1_750, "u1", 1_300, "so far")], cleared, marks=marks) == []
    told = heard([ev.PlaybackStopped(1_750, "u1", 100, "so")], cleared, marks=marks)
    assert told == ["u1: 100 ms noted, 1250 ms played"]
    late = cleared | {"clock_late_ms_max": 800}
    assert heard([ev.PlaybackStopped(1_750, "u1", 2_000, "so far")], late, marks=marks) == []
    resumed = [*marks, (12_000, "u1/1.2/900")]  # no clear had come: all that was sent was played
    assert heard([ev.PlaybackStopped(1_750, "u1", 1_400, "so far")], {}, marks=resumed) == []


def test_what_is_confirmed_to_the_end_was_played_to_the_end() -> None:
    ended = [ev.PlaybackReached(2_000, "u1", 3_000, 3_000, True), ev.PlaybackEnded(2_000, "u1", True)]
    whole = {"events": [{"what": "mark", "name": "u1/1.1/3000", "at_ms": 3_000}]}
    half = {"events": [{"what": "mark", "name": "u1/1.1/1500", "at_ms": 1_500}]}
    assert heard(ended, whole) == []
    assert heard(ended, half) == ["u1: 1500 of 3000 ms"]


def test_a_hang_up_that_the_journal_does_not_know_is_found() -> None:
    records = [Record("c1", 1, 1, 5, "end", {"outcome": "call_limit"})]
    account = check_line(Evidence("c1", records, dict(LINE)))
    assert [violation.checker for violation in account.violations] == ["every hang-up is in the journal"]
