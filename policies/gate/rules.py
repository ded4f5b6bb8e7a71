"""The gate's rules: one small function each, in the table RULES.

A rule reads a case (one proposal against the state of this moment) and returns what it requires, what it found, and
whether that will do; None where the rule does not apply to this proposal. It never stops at the first failure and
never changes anything: a verdict lists every rule that applies. Which thresholds an action has is the policy's matter
(`ActionRules`), what follows from the results is `gate.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.far_end import Answering
from ..core.proposals import ACTS, CORE, Kind, Purpose, RuleResult
from ..core.state import Concern, Holder, Line, Sign, Standing
from ..language.port import registry
from ..speech import turns
from . import agreement, basis
from .agreement import Result, listed
from .case import Case, act_of, approval, done, goes_on, level_of, outcome_of, said_until_ms

TIMERS_MAX = 8  # rounds that agents have asked for at a later moment, in one call
LOOP_WINDOW = 2  # the breaker looks at the last 2 x repeats_max acts, so that it sees A B A B as well as A A


def compare(case: Case) -> tuple[RuleResult, ...]:
    """Every rule that applies to the case, in the table's order, with required and actual value."""
    results = []
    for name, rule in RULES.items():
        result = rule(case)
        if result is not None:
            results.append(RuleResult(name, *result))
    return tuple(results)


# --- is it of this moment -------------------------------------------------------------------------------------------


def fresh(case: Case) -> Result:
    """Computed in this turn, from no older evidence than there is; judged again, nothing that it rests on has moved.

    Words that go on with an answer were judged with its first part: an "okay" in between does not outdate them.
    """
    state, proposal = case.state, case.proposal
    spoken_on = proposal.kind is Kind.SAY and proposal.turn == state.turn and goes_on(state, proposal)
    if case.moment != "proposed" or spoken_on:
        moved = basis.moved(case)
        return f"nothing it rests on moved after revision {proposal.basis}", listed(moved) or "nothing", not moved
    ok = proposal.turn == state.turn and state.evidence_revision <= proposal.basis <= state.revision
    return (
        f"turn {state.turn}, revision {state.evidence_revision} to {state.revision}",
        f"turn {proposal.turn}, revision {proposal.basis}",
        ok,
    )


def lifetime(case: Case) -> Result:
    """Not older than it may get, from its arrival, or from when what it goes on with was said."""
    expires_ms, lifetime_ms = case.proposal.expires_ms, case.policy.gate.proposal_lifetime_ms
    if expires_ms == 0:
        return f"within {lifetime_ms} ms", "0 ms", True
    if goes_on(case.state, case.proposal):
        expires_ms = max(expires_ms, said_until_ms(case.state) + lifetime_ms)
    return f"by {expires_ms} ms", f"{case.state.now_ms} ms", case.state.now_ms <= expires_ms


def unanswered(case: Case) -> Result | None:
    """Nothing was said since it was computed: two agents never answer the same words one after the other.

    An answer in parts goes on, unless it was cut.
    """
    if not case.heard:
        return None
    spoke = case.state.authority.spoke_revision
    basis = case.proposal.basis
    wanted = f"nothing said after revision {basis}"
    if case.proposal.part:
        wanted += " but its own answer, uncut"
    return wanted, f"last spoke at revision {spoke}", spoke <= basis or goes_on(case.state, case.proposal)


# --- may anything be said or done now -------------------------------------------------------------------------------


def line(case: Case) -> Result:
    """The caller is on the line."""
    return str(Line.OPEN), str(case.state.line), case.state.line is Line.OPEN


def answering(case: Case) -> Result | None:
    """Nothing while it is undecided who picked up; a machine gets its message after the beep, a screener the core's."""
    found = case.state.answering
    if not found.armed or (case.proposal.kind is Kind.HANGUP and not case.heard):
        return None
    actual = f"{found.decided or 'undecided'} after {case.state.now_ms - found.armed_ms} ms"
    if case.heard:
        why = locked(found, case.proposal.purpose)
        if not why and found.decided == "screening" and case.proposal.agent != CORE:
            why = "only the core answers a screener"
        return "free to speak", f"{actual}: {why}" if why else actual, not why
    return "a person", actual, found.decided == "human"


def locked(answering: Answering, purpose: Purpose) -> str:
    """Why nothing may be said for this purpose now; empty = it may."""
    if not answering.armed or answering.decided == "human":
        return ""
    if not answering.decided:
        return "who picked up is undecided"
    if answering.decided == "screening":
        return ""
    if answering.beep_ms and purpose is Purpose.MESSAGE:
        return ""
    return "a machine is answered after its beep only" if not answering.beep_ms else "a machine is left a message only"


def presence(case: Case) -> Result | None:
    """Nothing is said to a recording, and nobody is put through to it. The core may end the call."""
    found = case.state.presence
    concerned = case.heard or case.proposal.kind is Kind.TRANSFER
    if not found.recorded or not concerned or (case.proposal.agent == CORE and case.proposal.kind is Kind.HANGUP):
        return None
    return "a person to talk to", f"{found.reading} for {case.state.now_ms - found.since_ms} ms", False


def authority(case: Case) -> Result | None:
    """An interruption suspends authority until the new words are understood. The core may end a call at any time."""
    if case.proposal.kind is Kind.HANGUP and case.proposal.agent == CORE:
        return None
    since_ms = case.state.authority.suspended_since_ms
    return "not suspended", f"suspended for {case.state.now_ms - since_ms} ms" if since_ms else "in force", not since_ms


def floor(case: Case) -> Result | None:
    """What is heard, what cannot be undone, and a transfer wait until nobody speaks; on leaving, for the caller."""
    if not case.heard and not case.needs.irreversible and case.proposal.kind is not Kind.TRANSFER:
        return None
    state = case.state
    silent = not state.hearing.speaking and state.overlap is None
    current = state.speech.current
    if case.moment == "execution" and not case.heard:
        ok = silent and state.floor.holder in (Holder.NOBODY, Holder.AGENT)
    else:
        ok = state.floor.holder is Holder.NOBODY and current is None and silent
    actual = f"{state.floor.holder} for {state.now_ms - state.floor.since_ms} ms"
    if current is not None:
        actual += f", {current.id} {current.playing}"
    return "nobody speaks", actual, ok


def unread(case: Case) -> Result | None:
    """Before something leaves that words may overturn, those that are on their way are waited for."""
    if case.moment not in ("floor", "execution"):
        return None
    if not case.needs.irreversible and case.proposal.kind is not Kind.TRANSFER:
        return None
    most_ms = case.policy.endpointing.unread_ms
    waited_ms = _silent_ms(case)
    ok = waited_ms >= most_ms or not turns.unread(case.state)
    return f"the caller's words read, or {most_ms} ms gone", f"unread for {waited_ms} ms" if not ok else "read", ok


def overheard(case: Case) -> Result | None:
    """Speech after a clean yes was read: where nobody listens, or is long behind with it, it may have been a no."""
    given, hearing = case.state.consent, case.state.hearing
    if case.needs.yes != "clean" or given is None or case.moment not in ("floor", "execution"):
        return None
    wanted = "the caller's words after the yes read"
    if hearing.onset_ms <= given.at_ms:
        return wanted, "nothing was said", True
    if "recognizer" in case.state.lost_parts:
        return wanted, "spoken, and nobody listens", False
    waited_ms = _silent_ms(case)
    late = turns.unread(case.state) and waited_ms >= case.policy.endpointing.unread_ms
    return wanted, f"spoken {waited_ms} ms ago, and not read" if late else "read", not late


def ending(case: Case) -> Result | None:
    """Once the goodbye is on its way, nothing new is begun."""
    if not case.state.outcome or case.proposal.kind is Kind.HANGUP:
        return None
    return "the call goes on", f"ending: {case.state.outcome}", False


def stop(case: Case) -> Result | None:
    """A request not to be called is honoured at once: only the goodbye is left."""
    ledger = case.state.ledger
    asked = ledger.stopped >= 0 or any(ledger.signals[number].sign is Sign.STOP for number in ledger.open)
    if not asked or case.proposal.kind is Kind.HANGUP:
        return None
    goodbye = case.proposal.purpose is Purpose.GOODBYE
    return "only a goodbye", "asked not to be called", goodbye or not case.heard


def handoff(case: Case) -> Result | None:
    """To an agent that is here: of anybody else's round nobody would answer."""
    if case.proposal.kind is not Kind.HANDOFF or not case.proposal.action:
        return None
    here = case.state.agents
    return f"one of {listed(here) or 'nobody'}", case.proposal.action, case.proposal.action in here


def timers(case: Case) -> Result | None:
    """Agents wait for a few things at a time; more is a loop that never comes round."""
    if case.proposal.kind is not Kind.TIMER:
        return None
    armed = [
        name for name in case.state.timers if name.startswith("round.") and name != f"round.{case.proposal.action}"
    ]
    return f"fewer than {TIMERS_MAX} rounds to come", str(len(armed)), len(armed) < TIMERS_MAX


def stage(case: Case) -> Result | None:
    """The conversation stands where this belongs."""
    if not case.needs.stages:
        return None
    return listed(case.needs.stages), str(case.state.stage), case.state.stage in case.needs.stages


# --- is it true, and worth saying ------------------------------------------------------------------------------------


def outcome(case: Case) -> Result | None:
    """What is said of an act is what came of it, with the act's own arguments."""
    if not case.proposal.about:
        return None
    grant, _, claimed = case.proposal.about.partition(":")
    act = next((act for act in case.state.authority.acts if act.grant == grant), None)
    wanted = f"{grant} {claimed}"
    if act is None:
        return wanted, f"no act {grant} is over", False
    arguments = dict(act.arguments)
    other = [
        name
        for name, value in case.proposal.terms
        if not registry.of(case.policy).same(arguments.get(name, value), value)
    ]
    if other:
        return wanted, f"{listed(other)} not as in the act", False
    found = outcome_of(act)
    return wanted, f"{grant} {found}", found == claimed or (claimed == "regretted" and act.regretted)


def settled(case: Case) -> Result | None:
    """A resolved concern is not argued again unless the caller reopens it."""
    found = _concern(case)
    if found is None:
        return None
    return f"{case.proposal.topic} not resolved", str(found.standing), found.standing is not Standing.RESOLVED


def answers(case: Case) -> Result | None:
    """One concern is answered only so often; then it is a person's turn, or goodbye."""
    found = _concern(case)
    if found is None:
        return None
    most = case.policy.concerns.answers_max
    return f"fewer than {most} answers to {found.topic}", str(found.answers), found.answers < most


# --- may the machine do it ------------------------------------------------------------------------------------------


def autonomy(case: Case) -> Result:
    """The level this call has for the action; below `approve`, an operator's fresh yes to the act stands in."""
    level = level_of(case)
    if level == "act":
        return "act", "act", True
    if level == "approve":
        given = approval(case)
        if given is None:
            return "an operator's yes", "none", False
        return "an operator's yes", f"{given[0]}, {case.state.now_ms - given[1]} ms ago", True
    return "act", level, False


def refused(case: Case) -> Result | None:
    """No operator has said no to this act in this call, or left the question unanswered."""
    if level_of(case) != "approve":
        return None
    why = next((why for act, _, why in case.state.authority.refused if act == case.act), "")
    return "not refused by an operator", why or "not refused", not why


def budget(case: Case) -> Result | None:
    """Money spent in this call: on actions, and by its mere duration (`gate.minute_cents`)."""
    if case.needs.cost_cents <= 0:
        return None
    state, gate = case.state, case.policy.gate
    talked_min = (state.now_ms - state.answered_ms) / 60_000 if state.answered_ms else 0.0
    after = round(state.authority.spent_cents + talked_min * gate.minute_cents + case.needs.cost_cents, 2)
    most = gate.budget_cents
    return f"at most {most:g} cents in all", f"{after:g} cents with this", after <= most


def times(case: Case) -> Result | None:
    """How often per call."""
    most = case.needs.times_max
    if most is None:
        return None
    so_far, _ = done(case.state, case.name)
    return f"fewer than {most} times", f"{so_far} so far", so_far < most


def cooldown(case: Case) -> Result | None:
    """How soon again."""
    wait_ms = case.needs.cooldown_ms
    if wait_ms is None:
        return None
    so_far, last_ms = done(case.state, case.name)
    if not so_far:
        return f"{wait_ms} ms since the last", "never done", True
    return f"{wait_ms} ms since the last", f"{case.state.now_ms - last_ms} ms", case.state.now_ms - last_ms >= wait_ms


def repeats(case: Case) -> Result | None:
    """The loop breaker: the very same act, again and again."""
    if case.proposal.kind is Kind.HANGUP:
        return None
    most = case.policy.gate.repeats_max
    window = case.state.authority.recent[-LOOP_WINDOW * most :]
    so_far = window.count(case.act)
    return f"fewer than {most} of the last {LOOP_WINDOW * most} acts", str(so_far), so_far < most


def once(case: Case) -> Result | None:
    """Not while the same act is under way, and not again once it was the last of its kind to succeed."""
    if case.proposal.kind not in ACTS:
        return None
    found = case.state.authority
    own = case.proposal.id if case.moment != "proposed" else ""
    if any(act_of(grant.proposal) == case.act and grant.proposal.id != own for grant in found.grants):
        return "not under way", "under way", False
    last = next((act for act in reversed(found.acts) if act.ok and act.action == case.proposal.action), None)
    again = last is not None and last.arguments == case.proposal.arguments and case.needs.irreversible
    return "not done already", f"done at {last.at_ms} ms" if last is not None and again else "not done", not again


def journal(case: Case) -> Result | None:
    """What cannot be undone is written down first."""
    if not case.needs.irreversible:
        return None
    up = "journal" not in case.state.lost_parts
    return "journal up", "up" if up else "away", up


RULES: dict[str, Callable[[Case], Result | None]] = {
    "fresh": fresh,
    "lifetime": lifetime,
    "unanswered": unanswered,
    "line": line,
    "answering": answering,
    "presence": presence,
    "authority": authority,
    "unread": unread,
    "overheard": overheard,
    "ending": ending,
    "stop": stop,
    "handoff": handoff,
    "timers": timers,
    "stage": stage,
    "concerns": agreement.concerns,
    "outcome": outcome,
    "settled": settled,
    "answers": answers,
    "told": agreement.told,
    "readiness": agreement.readiness,
    "slots": agreement.slots,
    "confirmed_slots": agreement.confirmed_slots,
    "consent": agreement.consent,
    "contrary": agreement.contrary,
    "evidence_age": agreement.evidence_age,
    "final_words": agreement.final_words,
    "reading": agreement.reading,
    "refused": refused,
    "budget": budget,
    "times": times,
    "cooldown": cooldown,
    "repeats": repeats,
    "once": once,
    "journal": journal,
    "floor": floor,
    "autonomy": autonomy,
}


# --- parts ----------------------------------------------------------------------------------------------------------


def _concern(case: Case) -> Concern | None:
    """The concern that something said would answer."""
    proposal = case.proposal
    if not case.heard or not proposal.topic:
        return None
    return next((concern for concern in case.state.concerns if concern.topic == proposal.topic), None)


def _silent_ms(case: Case) -> int:
    """Since the caller last spoke."""
    return case.state.now_ms - case.state.hearing.ended_ms
