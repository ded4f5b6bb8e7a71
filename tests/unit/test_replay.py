"""Replay: the same decisions from the journal, and the first difference where there is one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from dialogue import Dialogue, sales_policy
from journals import renumbered
from offhook.policies.conversation.machine import step
from offhook.policies.core.codec import CodecFault, decode, encode
from offhook.policies.replay.replay import JournalFault, canonical, replay

WORDS = ("Yes.", "We are three people.", "About five.", "That is too expensive.")


@pytest.fixture(scope="module")
def call() -> Dialogue:
    found = Dialogue().begins()
    found.settles()
    for words in WORDS:
        found.caller_says(words)
    return found


def rows(call: Dialogue) -> list[list[Any]]:
    """The call's journal as it comes from a link, for tests to spoil."""
    return [list(record) for record in copy.deepcopy(call.journal)]


def position(journal: list[Any], kind: str, number: int = 3) -> int:
    return [at for at, record in enumerate(journal) if record[4] == kind][number]


def test_a_journal_leads_to_the_same_state_and_commands(call: Dialogue) -> None:
    found = replay(call.journal)
    assert found.same and found.state == call.state
    assert found.events == sum(record[4] == "event" for record in call.journal)
    assert found.policy_version == "test" and found.call == "c1" and not found.ended
    assert [v.id for v in found.verdicts] == [f"v{n + 1}" for n in range(len(found.verdicts))]


def test_the_first_difference_is_named(call: Dialogue) -> None:
    journal = rows(call)
    at = position(journal, "commands")
    command = journal[at][5][0]
    journal[at][5][0] = [*command[:-1], "something else"]
    journal[at + 9][5] = []
    found = replay(journal)
    assert found.divergence is not None
    event = max(record[2] for record in journal[:at] if record[4] == "event")
    assert found.divergence.seq == event and found.divergence.index == 0 and found.divergence.what == "commands"
    assert found.divergence.expected[-1] == "something else" and found.divergence.got == command
    assert f"seq {event} at " in str(found.divergence)


def test_commands_that_are_missing_or_too_many_differ(call: Dialogue) -> None:
    at = position(call.journal, "commands")
    missing = call.journal[:at] + call.journal[at + 1 :]
    found = replay(missing)
    assert found.divergence is not None and found.divergence.expected is None
    more = rows(call)
    more[at][5].append(["HangUp", "no reason"])
    found = replay(more)
    assert found.divergence is not None and found.divergence.got is None


def test_a_number_of_another_type_is_a_difference() -> None:
    assert canonical([1]) != canonical([1.0]) != canonical([True])


def test_a_snapshot_is_compared_and_one_at_the_start_is_taken(call: Dialogue) -> None:
    at = position(call.journal, "event", 40)
    half = replay(call.journal[:at])
    record = ["c1", 1, 0, half.state.now_ms, "snapshot", encode(half.state)]
    found = replay(renumbered([call.journal[0], record, *call.journal[at:]]))
    assert found.same and found.state == call.state and found.snapshots == 1
    wrong = copy.copy(half.state)
    wrong.turn += 1
    found = replay(renumbered([*call.journal[:at], ["c1", 1, 0, 0, "snapshot", encode(wrong)], *call.journal[at:]]))
    assert found.divergence is not None and found.divergence.what == "snapshot"


def test_another_policy_shows_where_it_decides_otherwise(call: Dialogue) -> None:
    stricter = sales_policy(gate={"actions": {"say:offer": {"readiness_share": 0.99}}})
    found = replay(call.journal, stricter)
    assert found.divergence is not None
    assert found.divergence.got[0] in ("RecordVerdict", "Publish")


def test_a_policy_swapped_within_a_call_leads_from_there_on(call: Dialogue) -> None:
    stricter = sales_policy(gate={"actions": {"say:offer": {"readiness_share": 0.99}}})
    at = position(call.journal, "event", 30)
    state = replay(call.journal, until_seq=call.journal[at - 1][2]).state
    swapped: list[Any] = list(call.journal[:at])
    swap = {"version": "stricter", "policy": stricter.model_dump(mode="json")}
    swapped.append(["c1", 1, 0, 0, "policy", swap])
    for record in call.journal[at:]:
        if record[4] != "commands":
            swapped.append(record)
        if record[4] == "event":
            decision = step(state, decode(record[5]), stricter)
            state = decision.state
            commands = [encode(command) for command in decision.commands]
            swapped.append(["c1", 1, 0, record[3], "commands", commands])
    swapped = renumbered(swapped)
    found = replay(swapped)
    assert found.same and found.state == state and found.policy_version == "stricter"
    without = [record for record in swapped if record[4] != "policy"]
    assert not replay(without).same, "the policy before the swap decides otherwise"
    assert not replay(swapped, sales_policy()).same, "a policy that is tried leads the whole call"


def test_the_state_at_any_moment(call: Dialogue) -> None:
    at = position(call.journal, "event", 30)
    found = replay(call.journal, until_seq=call.journal[at][2])
    assert found.events == 31 and found.same
    assert found.state.revision == 31


def test_a_journal_that_breaks_off_is_no_difference(call: Dialogue) -> None:
    at = position(call.journal, "commands", 5)
    assert replay(call.journal[:at]).same


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda j: j[3].__setitem__(0, "c2"), "of call c2"),
        (lambda j: j[3].__setitem__(2, 2), "records must be in order"),
        (lambda j: j[0][5].pop("policy"), "no policy"),
        (lambda j: j[3].pop(), "6 fields"),
        (lambda j: j[1].__setitem__(slice(4, 6), ["policy", {"version": "2", "policy": {}}]), "this one has none"),
    ],
)
def test_what_is_no_journal_is_refused(call: Dialogue, spoil: Any, said: str) -> None:
    journal = rows(call)
    spoil(journal)
    with pytest.raises(JournalFault, match=said):
        replay(journal)


def test_an_event_of_another_version_is_refused_by_name(call: Dialogue) -> None:
    journal = rows(call)
    journal[position(journal, "event")][5] = ["SpeechTelepathized", 5]
    with pytest.raises(CodecFault, match="SpeechTelepathized"):
        replay(journal)


@pytest.mark.parametrize("kind", ["snapshot", "commands"])
def test_a_body_that_is_missing_is_a_fault_of_the_journal(call: Dialogue, kind: str) -> None:
    journal = rows(call)
    state = [*journal[-1][:2], journal[-1][2] + 1, journal[-1][3], "snapshot", encode(call.state)]
    journal.append(state)
    assert replay(journal).same
    at = next(at for at in range(len(journal) - 1, -1, -1) if journal[at][4] == kind)
    journal[at][5] = None
    with pytest.raises(JournalFault, match=rf"seq {journal[at][2]}, '{kind}': its body is .*, not None"):
        replay(journal)


def test_a_policy_of_another_release_is_read_and_one_that_cannot_be_is_a_fault(call: Dialogue) -> None:
    journal = rows(call)
    start = next(record for record in journal if record[4] == "start")
    start[5]["policy"]["gate"]["mood"] = "calm"
    assert replay(journal).same
    start[5]["policy"]["language"] = "tlh"
    with pytest.raises(JournalFault, match=rf"seq {start[2]}, 'start': .*language: .*'tlh' is not installed"):
        replay(journal)
