"""Admission against nodes whose figures come late: no slot is given twice, and the counters add up."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from offhook.policies.fleet.admission import Act, Answer, Ask, Desk
from offhook.policies.fleet.admission_rules import Admission, Priority

SLOTS = {"a": 1, "b": 3}


class Nodes(RuleBasedStateMachine):
    """The nodes are right about themselves; the desk hears of it late, in any order of events."""

    @initialize(then=st.sampled_from(["busy", "queue"]), ring_ms=st.sampled_from([0, 50]))
    def begin(self, then: str, ring_ms: int) -> None:
        self.now_ms = 0
        self.desk = Desk(
            Admission.model_validate({"then": then, "ring_ms": ring_ms, "queue_ms": 200, "promise_ms": 400})
        )
        self.leased: dict[str, set[str]] = {node: set() for node in SLOTS}  # the truth
        self.promised: dict[str, tuple[str, int]] = {}  # call -> node, until
        self.figures: list[tuple[str, int, int]] = []  # (node, asked, free) on their way
        self.calls = 0
        for node in SLOTS:
            self.desk.tell(node, SLOTS[node], SLOTS[node], 0.0, 0, 0)

    def take(self, answers: list[Answer]) -> None:
        for answer in answers:
            if answer.act is Act.TAKE:
                self.promised[answer.call] = (answer.node, self.now_ms + 400)

    @rule(wait_ms=st.integers(1, 120))
    def time_passes(self, wait_ms: int) -> None:
        self.now_ms += wait_ms
        self.promised = {call: each for call, each in self.promised.items() if each[1] > self.now_ms}
        self.take(self.desk.turn(self.now_ms))

    @rule(priority=st.sampled_from(list(Priority)))
    def somebody_calls(self, priority: Priority) -> None:
        self.calls += 1
        self.take([self.desk.ask(Ask(f"c{self.calls}", self.now_ms, priority=priority))])

    @precondition(lambda self: self.promised)
    @rule(pick=st.randoms(use_true_random=False))
    def a_node_leases(self, pick) -> None:  # type: ignore[no-untyped-def]
        call = pick.choice(sorted(self.promised))
        node, _ = self.promised.pop(call)
        self.leased[node].add(call)
        assert len(self.leased[node]) <= SLOTS[node], "two admissions took one slot"
        self.desk.seated(call, self.now_ms)

    @precondition(lambda self: any(self.leased.values()))
    @rule(pick=st.randoms(use_true_random=False))
    def a_call_ends(self, pick) -> None:  # type: ignore[no-untyped-def]
        node = pick.choice(sorted(node for node in SLOTS if self.leased[node]))
        call = pick.choice(sorted(self.leased[node]))
        self.leased[node].discard(call)
        self.desk.ended(call)

    @rule(node=st.sampled_from(sorted(SLOTS)))
    def a_node_is_asked(self, node: str) -> None:
        self.figures.append((node, self.now_ms, SLOTS[node] - len(self.leased[node])))

    @precondition(lambda self: self.figures)
    @rule()
    def figures_arrive(self) -> None:
        node, asked_ms, free = self.figures.pop(0)
        self.desk.tell(node, free, SLOTS[node], 0.0, asked_ms, self.now_ms)
        self.take(self.desk.turn(self.now_ms))

    @invariant()
    def promises_and_leases_fit(self) -> None:
        if not hasattr(self, "desk"):
            return
        for node, slots in SLOTS.items():
            promised = sum(each[0] == node for each in self.promised.values())
            assert promised + len(self.leased[node]) <= slots

    @invariant()
    def the_counters_add_up(self) -> None:
        if not hasattr(self, "desk"):
            return
        counts = self.desk.counts
        ends = ("taken_at_once", "taken_after_ring", "taken_from_queue", "busy", "redirected", "abandoned")
        assert counts["asked"] == sum(counts[name] for name in ends) + self.desk.waiting()


Nodes.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestNodes = Nodes.TestCase
