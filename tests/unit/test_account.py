"""The account of a call: what `offhook explain` tells beside the verdicts, from the journal of whole calls."""

from __future__ import annotations

from booking_call import at_the_read_back
from dialogue import Dialogue
from offhook.policies.core import events as ev
from offhook.policies.replay.account import Row, account
from offhook.serve.views import account_view


def told(call: Dialogue, since: int, *kinds: str) -> list[str]:
    """What an account says from record `since` on, in order."""
    return [row.words for row in account(call.journal[since:]) if row.kind in kinds]


def taken_back() -> tuple[Dialogue, int]:
    """A call in which the booking is taken back over its announcement, and where in its journal that begins."""
    call = at_the_read_back()
    since = len(call.journal)
    call.caller_speaks("Yes, that is right.")
    while "One moment, I am booking that." not in call.said[-1]:
        call.passes(20)
    call.passes(600)
    call.caller_says("No, wait, please do not book that.")
    return call, since


def test_a_yes_on_a_condition_and_the_way_of_the_act_that_follows_the_plain_one() -> None:
    call = at_the_read_back()
    since = len(call.journal)
    call.caller_says("Yes, if my wife agrees.")
    call.caller_says("Yes, that's right.")
    assert [words.partition(" (")[0] for words in told(call, since, "answer", "act", "debt")] == [
        "unclear, which is no yes: a condition",
        "yes, and nothing left over",
        "book_meeting: announced to the caller, not done yet",
        "book_meeting: waits until the journal has all that led to it",
        "book_meeting: ordered",
        "book_meeting: done",
        "owed: what came of book_meeting",
        "paid: what came of book_meeting",
    ]


def test_an_act_that_is_taken_back_is_told_with_its_reason_in_the_verdict() -> None:
    call, since = taken_back()
    acts = told(call, since, "act")
    assert acts[-1] == "book_meeting: taken back before it had left, and not done"
    assert "book_meeting: ordered" not in acts
    shown = account_view.text(account_view.rows(call.journal[since:], said=False), every_rule=False).plain
    assert "taken back  book_meeting by booking  withdrawal" in shown
    assert "- contrary: needs nothing against it after revision" in shown


def test_what_people_said_stands_only_in_rows_of_its_own_and_is_shown_only_when_it_is_asked_for() -> None:
    call, since = taken_back()
    rows = account(call.journal[since:])
    assert [row.kind for row in rows if "please" in row.words.lower()] == ["caller"]
    assert {row.kind for row in rows} >= {"caller", "agent", "verdict", "answer", "act", "debt"}
    for said in (True, False):
        shown = account_view.text(account_view.rows(call.journal, said), every_rule=True).plain
        assert ("please do not book" in shown) is said


def test_a_debt_that_is_written_off_says_why() -> None:
    call = at_the_read_back()
    since = len(call.journal)
    call.tool_ms = 60_000
    call.caller_says("Yes, that's right.")
    call.speech_starts()
    call.happens(ev.ActionFinished, grant=call.performed[0].grant, ok=True, result="booked")
    call.happens(ev.LineClosed, reason="caller hung up")
    assert told(call, since, "debt")[-1] == "written off: what came of book_meeting: the call is over"
    shown = account_view.text(account_view.rows(call.journal[since:], said=False), every_rule=False).plain
    assert "written off say answer by core  owed" in shown


def test_a_command_of_another_version_is_said_and_passed_over() -> None:
    rows = account(
        [["c1", 1, 7, 900, "commands", [["NoSuchCommand", 1], ["Say", "u1", "Hello.", "answer", True, "g1"]]]]
    )
    assert [(row.seq, row.kind) for row in rows] == [(7, "unreadable"), (7, "agent")]
    assert rows[1] == Row(7, 900, "agent", "Hello.")
