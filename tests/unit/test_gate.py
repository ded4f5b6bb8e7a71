"""The gate: every rule by itself, what waits and what then happens to it, and acts that are done once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from offhook.policies.conversation import machine
from offhook.policies.core import events as ev
from offhook.policies.core.commands import AwaitJournal, HangUp, Perform, Publish, RecordVerdict, Say, TransferCall
from offhook.policies.core.dialogue import Answer as CleanAnswer
from offhook.policies.core.dialogue import Segment, Term
from offhook.policies.core.draft import Draft
from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.core.principal import Principal
from offhook.policies.core.proposals import Answer, Kind, Moment, Polarity, Proposal, Purpose, Verdict
from offhook.policies.core.state import (
    Act,
    AgentSpeech,
    Answering,
    Authority,
    CallState,
    Concern,
    Floor,
    Holder,
    Ledger,
    Line,
    Sign,
    Signal,
    Slot,
    Stage,
    Standing,
)
from offhook.policies.gate import acts, approval_queue, approvals, execution, gate
from offhook.policies.gate.case import case_of, share_of
from offhook.policies.gate.rules import RULES

ANN = Principal.of("person:ann")

BOOKING = {
    "irreversible": True,
    "readiness_share": 0.5,
    "confirmed_slots": ("time",),
    "no_open_concern": ("*",),
    "consent": True,
    "evidence_age_ms": 20_000,
    "times_max": 2,
    "cooldown_ms": 5_000,
    "cost_cents": 10,
}


# A clean yes to "So that is tuesday at 10. Is that right?", heard to its end.
CONSENT = CleanAnswer(
    utterance="u1",
    says=Polarity.YES,
    why="",
    at_ms=59_000,
    revision=95,
    turn=3,
    terms=(Term("time", "tuesday at 10", 6),),
    segments=(Segment(1, "Yes.", True, 58_000, 58_500),),
    confirms=True,
)


def policy(**gate_fields: Any) -> Policy:
    fields = {"actions": {"book_meeting": BOOKING}, **gate_fields}
    return Policy(name="test", agents={"booking": AgentSpec(code="m:C")}, gate=fields)


def signal(number: int, sign: Sign, at_ms: int = 59_000, **fields: Any) -> Signal:
    return Signal(number, sign, 0.9, at_ms, 90, 3, "words", **fields)


def agreed() -> CallState:
    """A minute into a call: a time is confirmed, the caller has said yes, nobody speaks."""
    signals = (signal(0, Sign.COMMITMENT), signal(1, Sign.DETAIL, topic="time"), signal(2, Sign.CONFIRMATION))
    return CallState(
        call="c1",
        line=Line.OPEN,
        now_ms=60_000,
        revision=100,
        evidence_revision=95,
        turn=3,
        stage=Stage.BOOKING,
        ledger=Ledger(signals=signals, support=2.0, weighed_ms=60_000),
        slots=(Slot("time", "tuesday at 10", True, 1, "u1"),),
        consent=CONSENT,
    )


def book(**fields: Any) -> Proposal:
    return Proposal(
        **{
            "id": "p1", "agent": "booking", "kind": Kind.TOOL, "turn": 3, "basis": 100, "action": "book_meeting",
            "arguments": (("time", "tuesday at 10"),), **fields,
        }
    )  # fmt: skip


def say(text: str = "Hello there.", **fields: Any) -> Proposal:
    return book(**{"kind": Kind.SAY, "action": "", "arguments": (), "text": text, **fields})


def judged(state: CallState, proposal: Proposal, led_by: Policy | None = None) -> Verdict:
    return gate.judge(Draft(state, led_by or policy()), proposal, Moment.PROPOSED)


def failed(verdict: Verdict) -> set[str]:
    return {result.rule for result in verdict.rules if not result.ok}


def test_what_is_agreed_is_granted_and_every_rule_is_listed_with_its_values() -> None:
    verdict = judged(agreed(), book())
    assert verdict.answer is Answer.GRANT, verdict.reason
    listed = [result.rule for result in verdict.rules]
    assert {"fresh", "readiness", "confirmed_slots", "concerns", "consent", "evidence_age", "journal"} <= set(listed)
    assert listed == [name for name in RULES if name in listed], "in the table's order"
    assert all(result.required and result.actual for result in verdict.rules)


LATER_NO = Signal(3, Sign.DENIAL, 0.9, 59_500, 97, 3, "words")
WEAK = tuple(replace(signal, strength=0.6) for signal in agreed().ledger.signals)  # "I see", and no clear yes

# What is changed about the agreed state, and the one rule that must then fail.
CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("fresh", {"turn": 4}),
    ("fresh", {"evidence_revision": 101, "revision": 101}),
    ("line", {"line": Line.LOST}),
    ("authority", {"authority": Authority(suspended_since_ms=59_900)}),
    ("ending", {"outcome": "goodbye"}),
    ("concerns", {"concerns": (Concern("timing", Standing.OPEN, 1, ((1, Standing.OPEN, 0),)),)}),
    ("concerns", {"concerns": (Concern("timing", Standing.REOPENED, 1, ((1, Standing.REOPENED, 0),)),)}),
    ("readiness", {"ledger": replace(agreed().ledger, support=0.3)}),
    ("confirmed_slots", {"slots": (Slot("time", "tuesday at 10", False, 1, "u1"),)}),
    ("confirmed_slots", {"slots": ()}),
    ("consent", {"slots": (Slot("time", "tuesday at 10", True, 1),)}),
    ("consent", {"consent": None}),
    ("consent", {"consent": replace(CONSENT, at_ms=30_000)}),
    ("consent", {"consent": replace(CONSENT, action="send_details")}),
    ("consent", {"consent": replace(CONSENT, segments=(Segment(1, "Yes", False, 58_000, 58_500),))}),
    ("contrary", {"said_revision": 96}),
    ("contrary", {"ledger": replace(agreed().ledger, signals=(*agreed().ledger.signals, LATER_NO))}),
    ("journal", {"lost_parts": frozenset({"journal"})}),
    ("budget", {"authority": Authority(spent_cents=495)}),
    ("times", {"authority": Authority(done=(("book_meeting", 2, 1_000),))}),
    ("cooldown", {"authority": Authority(done=(("book_meeting", 1, 58_000),))}),
]  # fmt: skip


def test_a_call_may_not_pass_its_budget_with_what_its_minutes_cost() -> None:
    state = agreed()
    state.answered_ms = 1
    led_by = policy()
    costs = led_by.gate.actions["book_meeting"].cost_cents
    for minute_cents, answer in ((led_by.gate.budget_cents - costs, Answer.GRANT), (1_000.0, Answer.DENY)):
        dear = led_by.model_copy(update={"gate": led_by.gate.model_copy(update={"minute_cents": minute_cents})})
        verdict = judged(state, book(), dear)
        assert verdict.answer is answer
        assert failed(verdict) == (set() if answer is Answer.GRANT else {"budget"})
    spent = next(result for result in verdict.rules if result.rule == "budget")
    assert spent.required == f"at most {led_by.gate.budget_cents:g} cents in all"


@pytest.mark.parametrize(("rule", "change"), CHANGES)
def test_one_thing_missing_denies_with_that_rule(rule: str, change: dict[str, Any]) -> None:
    state = agreed()
    for name, value in change.items():
        setattr(state, name, value)
    verdict = judged(state, book())
    assert verdict.answer is Answer.DENY
    assert failed(verdict) == {rule}
    assert verdict.reason.startswith(f"{rule}: needs ")


def test_old_evidence_supports_nothing() -> None:
    state = agreed()
    state.ledger = replace(state.ledger, signals=tuple(replace(s, at_ms=30_000) for s in state.ledger.signals))
    assert failed(judged(state, book())) == {"evidence_age"}


def test_an_acknowledgement_after_a_yes_does_not_take_it_back() -> None:
    state = agreed()
    weak = replace(signal(3, Sign.CONFIRMATION), strength=0.4)
    state.ledger = replace(state.ledger, signals=(*state.ledger.signals, weak))
    assert judged(state, book()).answer is Answer.GRANT


def test_partial_words_alone_permit_nothing_that_cannot_be_undone() -> None:
    state = agreed()
    state.ledger = replace(
        state.ledger, signals=tuple(replace(s, provisional=True) for s in state.ledger.signals), open=(0, 1, 2)
    )
    assert failed(judged(state, book())) == {"final_words"}


def test_a_softening_concern_does_not_stop_an_action() -> None:
    state = agreed()
    state.concerns = (Concern("price", Standing.SOFTENING, 1, ((1, Standing.SOFTENING, 0),), answers=1),)
    assert judged(state, book()).answer is Answer.GRANT


def test_a_resolved_concern_is_not_argued_again_until_it_is_reopened() -> None:
    state = agreed()
    state.concerns = (Concern("price", Standing.RESOLVED, 1, ((1, Standing.RESOLVED, 0),), answers=1),)
    assert failed(judged(state, say(topic="price"))) == {"settled"}
    state.concerns = (replace(state.concerns[0], standing=Standing.REOPENED),)
    assert judged(state, say(topic="price")).answer is Answer.GRANT
    state.concerns = (replace(state.concerns[0], answers=3),)
    assert failed(judged(state, say(topic="price"))) == {"answers"}


def test_speech_is_locked_while_it_is_undecided_who_picked_up() -> None:
    state = agreed()
    state.answering = Answering(armed=True, armed_ms=59_000)
    assert failed(judged(state, say())) == {"answering"}
    assert "answering" in failed(judged(state, book()))
    state.answering = Answering(armed=True, decided="machine", armed_ms=59_000)
    assert failed(judged(state, say(purpose=Purpose.MESSAGE))) == {"answering"}, "no beep yet"
    state.answering = replace(state.answering, beep_ms=59_500)
    assert judged(state, say(purpose=Purpose.MESSAGE)).answer is Answer.GRANT
    assert failed(judged(state, say(purpose=Purpose.ANSWER))) == {"answering"}


def test_after_a_request_to_stop_only_the_goodbye_is_left() -> None:
    state = agreed()
    state.ledger = replace(state.ledger, signals=(*state.ledger.signals, signal(3, Sign.STOP)), stopped=3)
    assert failed(judged(state, say())) == {"stop"}
    goodbye = say(kind=Kind.HANGUP, action="stopped", purpose=Purpose.GOODBYE)
    assert judged(state, goodbye).answer is Answer.GRANT


def test_a_proposal_from_the_future_is_no_proposal() -> None:
    assert failed(judged(agreed(), say(basis=101))) == {"fresh"}


def test_an_expired_proposal_is_denied() -> None:
    assert failed(judged(agreed(), say(expires_ms=59_999))) == {"lifetime"}


# --- the floor ------------------------------------------------------------------------------------------------------


def test_speech_waits_for_the_floor_and_is_judged_again_when_it_is_free() -> None:
    draft = Draft(agreed(), policy())
    draft.state.floor = Floor(Holder.CALLER, 59_000)
    verdict = gate.judge(draft, say(), Moment.PROPOSED)
    assert verdict.answer is Answer.WAIT
    assert execution.execute(draft, say(), verdict)
    assert not of(draft, Say)
    draft.state.floor = Floor()
    execution.floor_free(draft)
    assert [s.text for s in of(draft, Say)] == ["Hello there."]
    assert [v.verdict.moment for v in of(draft, RecordVerdict)] == ["proposed", "floor"]


def test_what_waited_is_never_said_on_stale_evidence() -> None:
    draft = Draft(agreed(), policy())
    draft.state.floor = Floor(Holder.CALLER, 59_000)
    execution.execute(draft, say(), gate.judge(draft, say(), Moment.PROPOSED))
    draft.state.floor = Floor()
    draft.state.revision += 1
    draft.evidence_changed()
    draft.state.said_revision = draft.state.revision
    execution.floor_free(draft)
    assert not of(draft, Say)
    last = of(draft, RecordVerdict)[-1].verdict
    assert last.answer is Answer.DENY and last.moment == "floor" and failed(last) == {"fresh"}
    assert draft.state.authority.waiting == ()


def test_a_murmur_outdates_nothing_that_waits() -> None:
    draft = Draft(agreed(), policy())
    draft.state.floor = Floor(Holder.CALLER, 59_000)
    execution.execute(draft, say(), gate.judge(draft, say(), Moment.PROPOSED))
    draft.state.floor = Floor()
    draft.state.revision += 1
    draft.state.turn += 1
    draft.evidence_changed()
    execution.floor_free(draft)
    assert [s.text for s in of(draft, Say)] == ["Hello there."]


@pytest.mark.parametrize(
    ("rests_on", "moved"),
    [("signals", True), ("slot:time", True), ("slot:name", False), ("concern:price", False), ("concerns", False)],
)
def test_an_agent_may_widen_what_a_proposal_rests_on(rests_on: str, moved: bool) -> None:
    draft = Draft(agreed(), policy())
    draft.state.floor = Floor(Holder.CALLER, 59_000)
    proposal = say(rests_on=(rests_on,))
    execution.execute(draft, proposal, gate.judge(draft, proposal, Moment.PROPOSED))
    draft.state.floor = Floor()
    draft.state.revision += 1
    later = Signal(3, Sign.DETAIL, 0.8, 60_000, draft.state.revision, 3, "words", topic="time")
    draft.state.ledger = replace(draft.state.ledger, signals=(*draft.state.ledger.signals, later))
    execution.floor_free(draft)
    assert bool(of(draft, Say)) is not moved
    assert failed(of(draft, RecordVerdict)[-1].verdict) == ({"fresh"} if moved else set())


def test_while_an_interruption_is_not_understood_nothing_that_waits_is_done_and_then_it_is_judged_again() -> None:
    draft = Draft(agreed(), policy())
    draft.state.floor = Floor(Holder.CALLER, 59_000)
    execution.execute(draft, say(), gate.judge(draft, say(), Moment.PROPOSED))
    execution.suspend(draft)
    assert draft.state.authority.waiting
    draft.state.floor = Floor()
    execution.restore(draft)
    assert not draft.state.authority.suspended_since_ms
    execution.floor_free(draft)
    assert [s.text for s in of(draft, Say)] == ["Hello there."]


def test_two_that_wait_are_not_said_one_after_the_other() -> None:
    draft = Draft(agreed(), policy())
    draft.state.floor = Floor(Holder.CALLER, 59_000)
    for number, text in enumerate(("One.", "Two.")):
        proposal = say(text, id=f"p{number}", priority=0.5 + number / 10)
        execution.execute(draft, proposal, gate.judge(draft, proposal, Moment.PROPOSED))
    draft.state.floor = Floor()
    draft.state.revision += 1
    execution.floor_free(draft)
    assert [s.text for s in of(draft, Say)] == ["Two."]
    assert "unanswered" in failed(of(draft, RecordVerdict)[-1].verdict)


def test_the_queue_is_bounded_and_refuses_in_writing() -> None:
    draft = Draft(agreed(), policy())
    draft.state.floor = Floor(Holder.CALLER, 59_000)
    for number in range(approval_queue.WAITING_MAX + 1):
        proposal = say(f"Text {number}.", id=f"p{number}")
        execution.execute(draft, proposal, gate.judge(draft, proposal, Moment.PROPOSED))
    assert len(draft.state.authority.waiting) == approval_queue.WAITING_MAX
    assert of(draft, RecordVerdict)[-1].verdict.rules[0].rule == "queue"


def test_the_cores_notice_rests_on_the_clock_and_survives_new_words() -> None:
    draft = Draft(agreed(), policy())
    draft.state.floor = Floor(Holder.CALLER, 59_000)
    notice = say("One minute left.", agent="core", purpose=Purpose.NOTICE)
    execution.execute(draft, notice, gate.judge(draft, notice, Moment.PROPOSED))
    draft.state.revision += 1
    draft.evidence_changed()
    draft.state.floor = Floor()
    execution.floor_free(draft)
    assert [s.text for s in of(draft, Say)] == ["One minute left."]


# --- acts -----------------------------------------------------------------------------------------------------------


def of(draft: Draft, kind: type) -> list[Any]:
    return [command for command in draft.commands if isinstance(command, kind)]


def executed(draft: Draft, proposal: Proposal) -> Verdict:
    verdict = gate.judge(draft, proposal, Moment.PROPOSED)
    execution.execute(draft, proposal, verdict)
    machine.follow_up(draft)
    return verdict


def journaled(draft: Draft) -> None:
    """The journal's word about every order that waits for it."""
    for grant in draft.state.authority.grants:
        if grant.stage == acts.JOURNAL:
            acts.journaled(draft, ev.Journaled(draft.state.now_ms, grant.id))


def test_an_act_is_told_first_judged_again_when_it_is_journaled_and_carried_out_as_it_is() -> None:
    draft = Draft(agreed(), policy())
    executed(draft, book(text="One moment."))
    assert [s.text for s in of(draft, Say)] == ["One moment."] and not of(draft, AwaitJournal)
    draft.state.speech = AgentSpeech(None, None)
    draft.state.revision += 1
    execution.floor_free(draft)
    assert [asked.grant for asked in of(draft, AwaitJournal)] == ["g2"] and not of(draft, Perform)
    journaled(draft)
    (perform,) = of(draft, Perform)
    assert perform.action == "book_meeting" and perform.arguments == (("time", "tuesday at 10"),)
    assert perform.irreversible
    assert [v.verdict.moment for v in of(draft, RecordVerdict)] == ["proposed", "floor", "execution"]
    assert draft.state.authority.spent_cents == 10


def test_the_same_act_has_the_same_key_until_it_has_succeeded() -> None:
    first, again = Draft(agreed(), policy()), Draft(agreed(), policy())
    executed(first, book())
    executed(again, book(id="p9", agent="other"))
    journaled(first)
    journaled(again)
    key = of(first, Perform)[0].key
    assert of(again, Perform)[0].key == key, "the same act, computed anew after a crash"
    (grant,) = first.state.authority.grants
    acts.action_finished(first, ev.ActionFinished(60_000, grant.id, False, "busy"))
    first.state.now_ms = 66_000
    executed(first, book())
    journaled(first)
    assert of(first, Perform)[1].key == key, "a retry after a failure"
    assert "c1" in key and "book_meeting" in key


def test_an_irreversible_act_is_not_done_twice() -> None:
    state = agreed()
    arguments = (("time", "tuesday at 10"),)
    state.authority = Authority(acts=(Act("g1", "book_meeting", arguments, "k", True, "", 50_000),))
    assert failed(judged(state, book())) == {"once"}
    state.slots = (Slot("time", "friday at 2", True, 1, "u1"),)
    assert judged(state, book(arguments=(("time", "friday at 2"),))).answer is Answer.GRANT


def test_an_act_under_way_is_not_begun_again() -> None:
    led_by = policy(actions={"book_meeting": {**BOOKING, "cooldown_ms": None}})
    draft = Draft(agreed(), led_by)
    executed(draft, book())
    assert failed(executed(draft, book(id="p2"))) == {"once"}
    journaled(draft)
    assert len(of(draft, Perform)) == 1


def test_a_reversible_act_that_succeeded_gets_a_new_key() -> None:
    led_by = policy(actions={})
    draft = Draft(agreed(), led_by)
    for _ in range(2):
        executed(draft, book())
        (grant,) = draft.state.authority.grants
        acts.action_finished(draft, ev.ActionFinished(60_000, grant.id, True, "sent"))
    first, second = (perform.key for perform in of(draft, Perform))
    assert second == f"{first}#2"


def test_a_report_that_comes_twice_changes_nothing() -> None:
    draft = Draft(agreed(), policy())
    executed(draft, book())
    (grant,) = draft.state.authority.grants
    for _ in range(2):
        acts.action_finished(draft, ev.ActionFinished(60_000, grant.id, True, "booked"))
    assert len(draft.state.authority.acts) == 1 and not draft.state.authority.grants


def test_a_goodbye_is_spoken_first_and_the_outcome_set() -> None:
    draft = Draft(agreed(), policy())
    executed(draft, say("Goodbye.", kind=Kind.HANGUP, action="booked"))
    assert draft.state.outcome == "booked"
    assert [s.purpose for s in of(draft, Say)] == [Purpose.GOODBYE] and not of(draft, HangUp)
    silent = Draft(agreed(), policy())
    executed(silent, say("", kind=Kind.HANGUP, action="silence"))
    assert of(silent, HangUp) == [HangUp("silence")]


def test_a_transfer_is_announced_and_judged_again_before_the_line_is_handed_over() -> None:
    draft = Draft(agreed(), policy())
    executed(draft, say("I will put you through.", kind=Kind.TRANSFER, action="+15550100"))
    assert of(draft, Say) and not of(draft, TransferCall)
    draft.state.speech = CallState().speech
    execution.floor_free(draft)
    assert [t.target for t in of(draft, TransferCall)] == ["+15550100"]
    assert [v.verdict.moment for v in of(draft, RecordVerdict)] == ["proposed", "floor"]


def test_a_timer_proposal_arms_a_round() -> None:
    draft = Draft(agreed(), policy())
    executed(draft, say("", kind=Kind.TIMER, action="check", arguments=(("after_ms", "5000"),)))
    assert draft.timers["round.check"] == 65_000


def test_the_loop_breaker_stops_the_same_words_but_not_a_conversation() -> None:
    draft = Draft(agreed(), policy(repeats_max=3))
    answers = []
    for _ in range(4):
        draft.state.speech = CallState().speech
        answers.append(executed(draft, say("Say that again?")).answer)
    assert answers == [Answer.GRANT] * 3 + [Answer.DENY]
    for number in range(3):
        draft.state.speech = CallState().speech
        assert executed(draft, say(f"Something else, number {number}.")).answer is Answer.GRANT
    draft.state.speech = CallState().speech
    assert executed(draft, say("Say that again?")).answer is Answer.DENY, "three of the last six"


# --- autonomy -------------------------------------------------------------------------------------------------------


def with_autonomy(level: str, share: float = 1.0) -> Policy:
    return policy(actions={"book_meeting": {**BOOKING, "autonomy": level, "autonomy_share": share}})


def test_the_ladder() -> None:
    assert judged(agreed(), book(), with_autonomy("act")).answer is Answer.GRANT
    assert judged(agreed(), book(), with_autonomy("approve")).answer is Answer.WAIT
    assert judged(agreed(), book(), with_autonomy("suggest")).answer is Answer.SUGGEST
    assert judged(agreed(), book(), with_autonomy("observe")).answer is Answer.DENY


def test_a_share_of_calls_is_stable_and_about_right() -> None:
    assert share_of("c1", "book_meeting") == share_of("c1", "book_meeting")
    inside = sum(share_of(f"call-{number}", "book_meeting") < 0.2 for number in range(5_000))
    assert 850 < inside < 1_150
    state, led_by = agreed(), with_autonomy("act", 0.2)
    for number in range(50):
        state.call = f"call-{number}"
        expected = Answer.GRANT if share_of(state.call, "book_meeting") < 0.2 else Answer.DENY
        assert judged(state, book(), led_by).answer is expected


def test_an_operators_yes_is_judged_again_and_then_done() -> None:
    draft = Draft(agreed(), with_autonomy("approve"))
    executed(draft, book())
    assert [p.id for p in draft.state.authority.approvals] == ["p1"]
    assert approval_queue.TIMER in draft.timers
    assert [s.purpose for s in of(draft, Say)] == [Purpose.REASSURANCE], "the caller is told, once"
    draft.state.speech = AgentSpeech(None, None)
    approvals.operator_decided(draft, ev.OperatorDecided(60_000, "p1", True, ANN))
    journaled(draft)
    assert len(of(draft, Perform)) == 1
    of_the_act = [v.verdict.moment for v in of(draft, RecordVerdict) if v.verdict.proposal == "p1"]
    assert of_the_act == ["proposed", "approval", "execution"]
    assert draft.state.authority.approvals == ()


def test_a_yes_that_comes_too_late_is_to_the_act_and_the_act_is_proposed_anew() -> None:
    draft = Draft(agreed(), with_autonomy("approve"))
    executed(draft, book())
    draft.state.speech = AgentSpeech(None, None)
    draft.state.revision += 1
    draft.evidence_changed()
    draft.state.said_revision = draft.state.revision
    approvals.operator_decided(draft, ev.OperatorDecided(60_000, "p1", True, ANN))
    assert not of(draft, Perform), "the words have moved on since it was computed"
    assert failed(of(draft, RecordVerdict)[-1].verdict) == {"contrary"}
    assert approvals.REPROPOSE_TIMER in draft.timers
    draft.state.consent = replace(CONSENT, revision=draft.state.revision)
    assert executed(draft, book(id="p2", basis=draft.state.revision)).answer is Answer.GRANT
    journaled(draft)
    assert len(of(draft, Perform)) == 1


def test_an_operators_no_is_recorded() -> None:
    draft = Draft(agreed(), with_autonomy("approve"))
    executed(draft, book())
    draft.state.speech = AgentSpeech(None, None)
    approvals.operator_decided(draft, ev.OperatorDecided(60_000, "p1", False, ANN))
    last = next(v.verdict for v in of(draft, RecordVerdict) if v.verdict.moment == "approval")
    assert last.answer is Answer.DENY and last.reason == "autonomy: needs an operator's yes, is no from ann"
    assert not of(draft, Perform)


def test_an_answer_to_an_unknown_question_changes_nothing_but_is_told() -> None:
    draft = Draft(agreed(), with_autonomy("approve"))
    approvals.operator_decided(draft, ev.OperatorDecided(60_000, "nope", True, ANN))
    (notice,) = of(draft, Publish)
    assert notice.body["what"] == "unknown" and draft.state.authority == Authority()


def test_a_question_to_an_operator_expires_in_writing() -> None:
    draft = Draft(agreed(), with_autonomy("approve"))
    executed(draft, book())
    deadline_ms = draft.timers[approval_queue.TIMER]
    draft.state.now_ms = deadline_ms
    approvals.timer_fired(draft, ev.TimerFired(deadline_ms, approval_queue.TIMER, deadline_ms))
    last = next(v.verdict for v in of(draft, RecordVerdict) if v.verdict.moment == "approval")
    assert "lifetime" in failed(last)
    assert draft.state.authority.approvals == ()


def test_health_is_kept() -> None:
    draft = Draft(agreed(), policy())
    execution.health_changed(draft, ev.HealthChanged(60_000, "journal", False))
    assert failed(gate.judge(draft, book(), Moment.PROPOSED)) == {"journal"}
    execution.health_changed(draft, ev.HealthChanged(60_000, "journal", True))
    assert gate.judge(draft, book(), Moment.PROPOSED).answer is Answer.GRANT


def test_a_case_names_what_the_policy_has_rules_for() -> None:
    names = {
        say().purpose: case_of(agreed(), policy(), say()).name,
        "tool": case_of(agreed(), policy(), book()).name,
        "transfer": case_of(agreed(), policy(), say(kind=Kind.TRANSFER, action="+1")).name,
    }
    assert list(names.values()) == ["say:answer", "book_meeting", "transfer"]
