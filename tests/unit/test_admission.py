"""Admission: who gets a slot, who rings, who overflows; and that no slot is given twice."""

from __future__ import annotations

import pytest
from offhook.policies.core.errors import CallerFault
from offhook.policies.fleet.admission import Act, Ask, Desk
from offhook.policies.fleet.admission_rules import LAG, Admission, Gauge, Priority, Tenant, Zone

NORMAL, URGENT, LOW = Priority.NORMAL, Priority.URGENT, Priority.LOW


def desk(rules: Admission | None = None, **free: int) -> Desk:
    made = Desk(rules or Admission())
    for node, slots in free.items():
        made.tell(node, slots, 10, 1.0, 0, 0)
    return made


def test_every_case_of_the_lag_table_is_there() -> None:
    assert set(LAG) == {(opens, zone) for opens in (True, False) for zone in Zone}


@pytest.mark.parametrize(
    ("lags", "opens"),
    [
        ([5], True),
        ([29], True),  # between: stays as it was
        ([31], False),
        ([31, 20], False),  # between: stays as it was
        ([31, 14], False),  # calm, not for long enough
        ([31, 14, 14, 14, 14, 14, 14], True),
        ([31, 14, 14, 20, 14, 14, 14], False),  # the calm was broken
    ],
)
def test_a_node_closes_by_lag_and_opens_once_it_has_been_calm(lags: list[float], opens: bool) -> None:
    gauge = Gauge()
    for second, lag_ms in enumerate(lags):
        gauge = gauge.read(lag_ms, second * 1_000, Admission())
    assert gauge.open is opens


def test_a_call_goes_to_the_node_with_the_most_free_slots() -> None:
    at = desk(a=1, b=3)
    assert [at.ask(Ask(f"c{n}", 0)).node for n in range(4)] == ["b", "b", "b", "a"]
    assert at.ask(Ask("c5", 0)).act is Act.RING


def test_a_promised_slot_is_held_until_the_nodes_own_figures_show_it() -> None:
    at = desk(a=1)
    assert at.ask(Ask("one", 0)).act is Act.TAKE
    at.tell("a", 1, 10, 1.0, 5, 6)  # asked after the promise, before the lease: still says 1
    assert at.ask(Ask("two", 6)).act is Act.RING
    at.seated("one", 10)
    at.tell("a", 1, 10, 1.0, 9, 11)  # asked before the lease
    assert not at.turn(11)
    at.tell("a", 0, 10, 1.0, 12, 13)
    assert not at.turn(13)
    at.ended("one")
    at.tell("a", 1, 10, 1.0, 20, 21)
    assert [(each.call, each.act) for each in at.turn(21)] == [("two", Act.TAKE)]


def test_a_promise_that_is_not_taken_expires() -> None:
    at = desk(Admission(promise_ms=1_000), a=1)
    at.ask(Ask("one", 0))
    assert at.next_ms() == 1_000
    assert at.ask(Ask("two", 500)).act is Act.RING
    assert [each.call for each in at.turn(1_000)] == ["two"]
    assert at.counts["promise_expired"] == 1


@pytest.mark.parametrize(
    ("rules", "act", "to"),
    [
        (Admission(ring_ms=0), Act.BUSY, ""),
        (Admission(ring_ms=0, then="redirect", redirect_to="sip:other"), Act.REDIRECT, "sip:other"),
        (Admission(ring_ms=0, then="redirect"), Act.BUSY, ""),  # nowhere to go
        (Admission(ring_ms=0, then="queue"), Act.QUEUE, ""),
        (Admission(ring_ms=0, then="queue", queue_max=0), Act.BUSY, ""),
        (Admission(ring_ms=100), Act.RING, ""),
        (Admission(ring_ms=100, ringing_max=0), Act.BUSY, ""),
    ],
)
def test_what_becomes_of_a_call_without_a_slot(rules: Admission, act: Act, to: str) -> None:
    answer = desk(rules, a=0).ask(Ask("c", 0))
    assert (answer.act, answer.to) == (act, to)
    assert "0 slots free" in answer.why


def test_ringing_ends_in_the_overflow_and_the_queue_in_busy() -> None:
    at = desk(Admission(ring_ms=100, then="queue", queue_ms=1_000), a=0)
    assert at.ask(Ask("c", 0)).until_ms == 100
    assert at.turn(99) == []
    (queued,) = at.turn(100)
    assert (queued.act, queued.until_ms) == (Act.QUEUE, 1_100)
    (over,) = at.turn(1_100)
    assert over.act is Act.BUSY and "after 1100 ms" in over.why


def test_the_line_is_by_priority_then_by_time() -> None:
    at = desk(a=0)
    for call, at_ms, priority in (("late", 2, NORMAL), ("low", 0, LOW), ("first", 1, NORMAL), ("urgent", 3, URGENT)):
        at.ask(Ask(call, at_ms, priority=priority))
    at.tell("a", 3, 10, 1.0, 4, 5)
    assert [each.call for each in at.turn(5)] == ["urgent", "first", "late"]
    assert at.waiting() == 1


def test_nobody_jumps_the_line_but_a_higher_priority() -> None:
    at = desk(a=0)
    at.ask(Ask("waits", 0))
    at.tell("a", 2, 10, 1.0, 1, 1)
    assert at.ask(Ask("same", 2)).act is Act.RING
    assert at.ask(Ask("urgent", 2, priority=URGENT)).act is Act.TAKE


def test_the_last_slots_are_kept_for_higher_priorities() -> None:
    at = desk(Admission(kept_share={"urgent": 0.2}), a=3)  # 2 of 10 slots
    assert at.ask(Ask("one", 0)).act is Act.TAKE
    refused = at.ask(Ask("two", 0))
    assert refused.act is Act.RING and "2 kept for higher priorities" in refused.why
    assert at.free(URGENT) == 2
    assert at.ask(Ask("three", 0, priority=URGENT)).act is Act.TAKE


def test_a_tenant_stays_within_its_limits() -> None:
    rules = Admission(tenants={"t": Tenant(calls_max=2), "fast": Tenant(starts_max=1, starts_within_ms=1_000)})
    at = desk(rules, a=9)
    for call in ("one", "two"):
        assert at.ask(Ask(call, 0, tenant="t")).act is Act.TAKE
    over = at.ask(Ask("three", 0, tenant="t"))
    assert over.act is Act.BUSY and over.why == "tenant calls: 2 live, 2 allowed"
    at.seated("one", 0)
    at.ended("one")
    assert at.ask(Ask("four", 0, tenant="t")).act is Act.TAKE
    assert at.ask(Ask("five", 0, tenant="fast")).act is Act.TAKE
    assert at.ask(Ask("six", 999, tenant="fast")).act is Act.BUSY
    assert at.ask(Ask("seven", 1_000, tenant="fast")).act is Act.TAKE


def test_calls_promised_on_a_node_that_has_gone_must_ask_again() -> None:
    at = desk(a=2)
    at.ask(Ask("seated", 0))
    at.ask(Ask("homeless", 0))
    at.seated("seated", 1)
    assert at.gone("a") == ["homeless"]
    assert at.ask(Ask("homeless", 2, priority=URGENT)).act is Act.RING


def test_a_cordoned_or_late_node_takes_nothing_and_the_reason_says_so() -> None:
    at = desk(a=5)
    at.cordon("a", True)
    assert at.ask(Ask("one", 0)).act is Act.RING
    at.cordon("a", False)
    at.tell("a", 5, 10, 99.0, 1, 1)
    assert "closed by lag up to 99 ms, 30 allowed" in at.ask(Ask("two", 1, priority=URGENT)).why


def test_a_call_cannot_ask_twice() -> None:
    at = desk(a=1)
    at.ask(Ask("one", 0))
    at.ask(Ask("two", 0))
    for call in ("one", "two"):
        with pytest.raises(CallerFault, match="asks twice"):
            at.ask(Ask(call, 1))
