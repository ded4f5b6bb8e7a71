"""What is read of a call's records for the arms of a rollout: each mark once a call, and from nobody else's calls."""

from __future__ import annotations

from typing import Any

from offhook.actors.node.arm_counters import ARMS_MAX, SLOW_US, ArmCounters
from offhook.policies.conversation.limits import CALLER_HUNG_UP
from offhook.policies.core.codec import encode
from offhook.policies.core.events import AgentLost, TimerFired
from offhook.policies.core.proposals import Answer, Kind, RuleResult, Verdict
from offhook.policies.core.records import Record

ARM = "sales-1/0/1"


def record(kind: str, body: Any) -> Record:
    return Record("c", 1, 1, 0, kind, body)


def verdict(answer: Answer, rule: str = "readiness") -> list[Any]:
    rules = (RuleResult(rule, "act", "observe", answer is Answer.GRANT),)
    found = Verdict("v1", "p1", "a", Kind.SAY, "offer", answer, 900, 7, 3, "booking", "proposed", rules)
    return record("verdict", encode(found))


def marks(*records: list[Any], outcome: str = "goodbye", lost: bool = False, seated: bool = True) -> dict[str, int]:
    counters = ArmCounters()
    counters.began("c", ARM, seated=seated)
    counters.take("c", ARM, records)
    counters.over("c", ARM, outcome, lost=lost)
    told = counters.figures().arms[ARM]
    assert (told.calls, told.ended) == (1, 1)
    return dict(told.marks)


def test_each_mark_is_read_from_what_the_call_wrote_and_counts_once() -> None:
    lost = record("event", encode(AgentLost(5, "a", "ValueError")))
    assert marks(lost, lost) == {"failed": 1}
    assert marks(record("fault", {})) == {"failed": 1}
    assert marks(seated=False) == {"failed": 1}
    assert marks(record("event", encode(TimerFired(5, "round", 5)))) == {"late": 1}
    assert marks(record("event", encode(TimerFired(5, "silence", 5)))) == {}
    assert marks(record("end", {"counts": {"reaction_us_max": SLOW_US + 1}})) == {"slow": 1}
    assert marks(record("end", {"counts": {"reaction_us_max": SLOW_US}})) == {}
    assert marks(outcome=CALLER_HUNG_UP) == {"hung_up": 1}
    assert marks(outcome=CALLER_HUNG_UP, lost=True) == {"lost": 1}


def test_a_call_is_denied_when_over_half_of_what_was_proposed_was() -> None:
    yes, no = verdict(Answer.GRANT), verdict(Answer.DENY)
    assert marks(no) == {"denied": 1}
    assert marks(yes, no) == {}
    assert marks(verdict(Answer.DENY, "autonomy")) == {}, "the step itself has taken it away"
    assert marks(no, yes, yes) == {}, "while it goes on, one says nothing"
    assert marks(no, no, no, yes, yes, yes) == {"denied": 1}
    assert marks(yes, yes, no, no) == {}


def test_arms_and_calls_are_bounded() -> None:
    counters = ArmCounters()
    for number in range(ARMS_MAX + 5):
        counters.began(f"c{number}", f"arm-{number}", seated=True)
        counters.over(f"c{number}", f"arm-{number}", "goodbye")
    counters.over("nobody", "", "goodbye")
    assert len(counters.figures().arms) == ARMS_MAX
    assert not counters._calls
