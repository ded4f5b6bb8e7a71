"""The gate's rules: one small function each, in the table RULES.

A rule reads a case (one proposal against the state of this moment) and returns what it requires, what it found, and
whether that will do; None where the rule does not apply to this proposal. It never stops at the first failure and
never changes anything: a verdict lists every rule that applies. Which thresholds an action has is the policy's matter
(`ActionRules`), what follows from the results is `gate.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from . import answering as who_answers
from . import evidence
from .case import Case, act_of, approval, done, level_of
from .concerns import AGREES_AT
from .proposals import CORE, Kind, Purpose, RuleResult
from .state import Concern, Holder, Line, Sign, Standing

CONSENT_AGE_MS = 30_000  # a yes supports consent this long where the policy does not say `evidence_age_ms`
LOOP_WINDOW = 2  # the breaker looks at the last 2 x repeats_max acts, so that it sees A B A B as well as A A

_SUPPORTING = frozenset({Sign.COMMITMENT, Sign.CONFIRMATION, Sign.INTEREST, Sign.DETAIL})
_AGREEING = frozenset({Sign.COMMITMENT, Sign.CONFIRMATION})
_TELLING = _AGREEING | {Sign.DENIAL}
_OPEN = frozenset({Standing.OPEN, Standing.REOPENED})


Result = tuple[str, str, bool]  # required, actual, ok


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
    """Computed in this turn, from no older evidence than there is, and not from a state that never was."""
    state, proposal = case.state, case.proposal
    ok = proposal.turn == state.turn and state.evidence_revision <= proposal.basis <= state.revision
    return (
        f"turn {state.turn}, revision {state.evidence_revision} to {state.revision}",
        f"turn {proposal.turn}, revision {proposal.basis}",
        ok,
    )


def lifetime(case: Case) -> Result:
    """Not older than it may get; arbitration gives every proposal its expiry on arrival."""
    expires_ms = case.proposal.expires_ms
    if expires_ms == 0:
        return f"within {case.policy.gate.proposal_lifetime_ms} ms", "0 ms", True
    return f"by {expires_ms} ms", f"{case.state.now_ms} ms", case.state.now_ms <= expires_ms


def unanswered(case: Case) -> Result | None:
    """Nothing was said since it was computed: two agents never answer the same words one after the other."""
    if not case.heard:
        return None
    spoke = case.state.authority.spoke_revision
    basis = case.proposal.basis
    return f"nothing said after revision {basis}", f"last spoke at revision {spoke}", spoke <= basis


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
        why = who_answers.locked(found, case.proposal.purpose)
        if not why and found.decided == "screening" and case.proposal.agent != CORE:
            why = "only the core answers a screener"
        return "free to speak", f"{actual}: {why}" if why else actual, not why
    return "a person", actual, found.decided == "human"


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
    """What is heard, what cannot be undone, and a transfer (its announcement goes first) wait until nobody speaks."""
    if not case.heard and not case.needs.irreversible and case.proposal.kind is not Kind.TRANSFER:
        return None
    state = case.state
    ok = state.floor.holder is Holder.NOBODY and state.speech.current is None and not state.hearing.speaking
    actual = f"{state.floor.holder} for {state.now_ms - state.floor.since_ms} ms"
    if state.speech.current is not None:
        actual += f", {state.speech.current.id} {state.speech.current.playing}"
    return "nobody speaks", actual, ok


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


def stage(case: Case) -> Result | None:
    """The conversation stands where this belongs."""
    if not case.needs.stages:
        return None
    return _words(case.needs.stages), str(case.state.stage), case.state.stage in case.needs.stages


# --- has the caller agreed ------------------------------------------------------------------------------------------


def readiness(case: Case) -> Result | None:
    """Cumulative evidence. Once ready, hysteresis lowers the bar, but never for what cannot be undone."""
    share = case.needs.readiness_share
    if share is None:
        return None
    evidence, found = case.policy.evidence, case.state.ledger
    slack = max(0.0, evidence.ready_at_share - evidence.unready_below_share)
    least = max(0.0, share - slack) if found.ready and not case.needs.irreversible else share
    return f"at least {least:.0%}", f"{found.readiness:.0%}", found.readiness >= least


def concerns(case: Case) -> Result | None:
    """No open concern of these topics; `*` is any."""
    topics = case.needs.no_open_concern
    if not topics:
        return None
    found = [c for c in case.state.concerns if c.standing in _OPEN and ("*" in topics or c.topic in topics)]
    wanted = "no open concern" if "*" in topics else f"no open concern about {_words(topics)}"
    return wanted, _words(f"{c.topic} {c.standing}" for c in found) or "none", not found


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


def slots(case: Case) -> Result | None:
    """These were heard."""
    return _slots(case, case.needs.slots, confirmed=False)


def confirmed_slots(case: Case) -> Result | None:
    """These were heard and confirmed, and are what would be acted on."""
    return _slots(case, case.needs.confirmed_slots, confirmed=True)


def consent(case: Case) -> Result | None:
    """The caller's last clear word on it is a yes, and recent: "I see" says neither yes nor no.

    For what cannot be undone, a partial reading is no yes.
    """
    if not case.needs.consent:
        return None
    age_max_ms = case.needs.evidence_age_ms or CONSENT_AGE_MS
    wanted = f"a yes within {age_max_ms} ms"
    telling = evidence.standing(case.state.ledger, _TELLING)
    last = next((signal for signal in telling if signal.sign is Sign.DENIAL or signal.strength >= AGREES_AT), None)
    if last is None:
        return wanted, "none", False
    age_ms = case.state.now_ms - last.at_ms
    firm = not (last.provisional and case.needs.irreversible)
    ok = last.sign in _AGREEING and age_ms <= age_max_ms and firm
    return wanted, f"{last.sign} {age_ms} ms ago{'' if firm else ', provisional'}", ok


def evidence_age(case: Case) -> Result | None:
    """The newest evidence in favour is not too old."""
    age_max_ms = case.needs.evidence_age_ms
    if age_max_ms is None:
        return None
    newest = next(evidence.standing(case.state.ledger, _SUPPORTING), None)
    if newest is None:
        return f"at most {age_max_ms} ms", "no evidence", False
    age_ms = case.state.now_ms - newest.at_ms
    return f"at most {age_max_ms} ms", f"{newest.sign} {age_ms} ms ago", age_ms <= age_max_ms


def final_words(case: Case) -> Result | None:
    """What cannot be undone rests on at least one reading that the recognizer will not take back."""
    if not case.needs.irreversible:
        return None
    found = evidence.standing(case.state.ledger, _SUPPORTING)
    final = next((signal for signal in found if not signal.provisional), None)
    actual = f"{final.sign}, {case.state.now_ms - final.at_ms} ms ago" if final is not None else "none"
    return "a final signal in favour", actual, final is not None


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
    if case.proposal.kind not in (Kind.TOOL, Kind.TRANSFER):
        return None
    found = case.state.authority
    if any(act_of(grant.proposal) == case.act for grant in found.grants):
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
    "ending": ending,
    "stop": stop,
    "stage": stage,
    "concerns": concerns,
    "settled": settled,
    "answers": answers,
    "readiness": readiness,
    "slots": slots,
    "confirmed_slots": confirmed_slots,
    "consent": consent,
    "evidence_age": evidence_age,
    "final_words": final_words,
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


def _slots(case: Case, names: tuple[str, ...], confirmed: bool) -> Result | None:
    """Every named slot is known; one that is also an argument of the act has the value that would be acted on."""
    if not names:
        return None
    known = {slot.name: slot for slot in case.state.slots}
    arguments = dict(case.proposal.arguments)
    found, ok = [], True
    for name in names:
        slot = known.get(name)
        if slot is None:
            found.append(f"{name} missing")
            ok = False
        elif confirmed and not slot.confirmed:
            found.append(f"{name} not confirmed")
            ok = False
        elif arguments.get(name, slot.value) != slot.value:
            found.append(f"{name} is not what would be acted on")
            ok = False
        else:
            found.append(f"{name} {'confirmed' if slot.confirmed else 'heard'}")
    return f"{_words(names)} {'confirmed' if confirmed else 'heard'}", _words(found), ok


def _words(parts: Iterable[object]) -> str:
    return ", ".join(str(part) for part in parts)
