"""The gate's rules about what the caller knows and wants: told, agreed, not taken back. The other rules, and the table
of all of them, are `rules.py`; how an answer becomes a consent is `consent.py`, what counts as told
`evidence/heard.py`.
"""

from __future__ import annotations

from ..core.dialogue import Answer
from ..core.proposals import ACTS, Kind, Moment, Polarity, Purpose
from ..core.state import Sign, Standing
from ..evidence import evidence, heard
from ..evidence.concerns import AGREES_AT
from ..language.port import registry
from .case import Case, Result, done, listed

CONSENT_AGE_MS = 30_000  # a yes supports consent this long where the policy does not say `evidence_age_ms`
DECIMALS_MAX = 6  # of a percentage in a verdict; two shares that are nearer to each other are the same to everybody
CONTRARY_AT = 0.5  # a sign this strong speaks against an act; a weaker one may be a listener's murmur

SUPPORTING = frozenset({Sign.COMMITMENT, Sign.CONFIRMATION, Sign.INTEREST, Sign.DETAIL})
OPEN = frozenset({Standing.OPEN, Standing.REOPENED})
_AGREEING = frozenset({Sign.COMMITMENT, Sign.CONFIRMATION})
_TELLING = _AGREEING | {Sign.DENIAL}
_ASKING = _AGREEING | {Sign.HUMAN, Sign.INTEREST}
_PERSON = frozenset({Sign.HUMAN})
_CONTRARY = frozenset({Sign.DENIAL, Sign.WAIT, Sign.STOP})
_PURPOSES = frozenset(str(purpose) for purpose in Purpose)

READ_BACK = "read_back"

# The rules about the caller's will: what breaks one of them takes an act back that has not left.
WILL = ("stop", "concerns", "confirmed_slots", "consent", "contrary")


# --- does the caller know -------------------------------------------------------------------------------------------


def told(case: Case) -> Result | None:
    """These were heard to their end, by the carrier's position."""
    names = case.needs.told
    if not names:
        return None
    missing = [name for name in names if not _was_told(case, name)]
    return f"heard: {listed(names)}", f"not heard: {listed(missing)}" if missing else "all heard", not missing


def _was_told(case: Case, name: str) -> bool:
    if name == READ_BACK:
        return all(_read_back(case, *pair) for pair in case.proposal.arguments if pair[0] not in case.needs.unspoken)
    if name in _PURPOSES:
        return done(case.state, f"say:{name}")[0] > 0
    return heard.told_of(case.state, name) is not None


def _read_back(case: Case, name: str, value: str) -> bool:
    newest = heard.told_of(case.state, name)
    return newest is not None and registry.of(case.policy).same(newest.value, value)


# --- has the caller agreed ------------------------------------------------------------------------------------------


def readiness(case: Case) -> Result | None:
    """Cumulative evidence. Once ready, hysteresis lowers the bar, but never for what cannot be undone."""
    share = case.needs.readiness_share
    if share is None:
        return None
    policy, found = case.policy.evidence, case.state.ledger
    slack = max(0.0, policy.ready_at_share - policy.unready_below_share)
    least = max(0.0, share - slack) if found.ready and not case.needs.irreversible else share
    ok = found.readiness >= least
    digits = 0 if ok else _decimals(least, found.readiness)
    return f"at least {least:.{digits}%}", f"{found.readiness:.{digits}%}", ok


def concerns(case: Case) -> Result | None:
    """No open concern of these topics; `*` is any."""
    topics = case.needs.no_open_concern
    if not topics:
        return None
    found = [c for c in case.state.concerns if c.standing in OPEN and ("*" in topics or c.topic in topics)]
    wanted = "no open concern" if "*" in topics else f"no open concern about {listed(topics)}"
    return wanted, listed(f"{c.topic} {c.standing}" for c in found) or "none", not found


def slots(case: Case) -> Result | None:
    """These were heard."""
    return _slots(case, case.needs.slots, confirmed=False)


def confirmed_slots(case: Case) -> Result | None:
    """These were heard and confirmed, and are what would be acted on."""
    return _slots(case, case.needs.confirmed_slots, confirmed=True)


def consent(case: Case) -> Result | None:
    """The caller's yes to this: their last clear word on it, or, for what cannot be undone, a clean answer."""
    kind = case.needs.yes
    if not kind:
        return None
    return _clean(case) if kind == "clean" else _said(case)


def _said(case: Case) -> Result:
    """The caller's last clear word on it is a yes, and recent: "I see" says neither yes nor no."""
    age_max_ms = case.needs.evidence_age_ms or CONSENT_AGE_MS
    wanted = f"a yes within {age_max_ms} ms"
    telling = evidence.standing(case.state.ledger, _TELLING)
    last = next((signal for signal in telling if signal.sign is Sign.DENIAL or signal.strength >= AGREES_AT), None)
    if last is None:
        return wanted, "none", False
    age_ms = case.state.now_ms - last.at_ms
    ok = last.sign in _AGREEING and age_ms <= age_max_ms
    return wanted, f"{last.sign} {age_ms} ms ago", ok


def _clean(case: Case) -> Result:
    """An answer that came after its read-back was heard, says yes with nothing left over, and is to these arguments."""
    age_max_ms = case.needs.evidence_age_ms or CONSENT_AGE_MS
    wanted = f"a clean yes within {age_max_ms} ms to a heard read-back"
    names = [name for name, _ in case.proposal.arguments if name not in case.needs.unspoken]
    if names:
        wanted += f" of {listed(names)}"
    given = case.state.consent
    if given is None:
        return wanted, _why_none(case.state.answer), False
    age_ms = case.state.now_ms - given.at_ms
    actual = f"yes to {given.utterance} {age_ms} ms ago"
    if age_ms > age_max_ms:
        return wanted, actual, False
    if not given.final:
        return wanted, f"{actual}, provisional", False
    if given.action != case.name and (given.action or not names):
        return wanted, f"{actual}, which asked for {given.action or 'no act'}", False
    other = [name for name, value in case.proposal.arguments if name in names and not _agreed(case, given, name, value)]
    if other:
        return wanted, f"{actual}, but {listed(other)} not as read back", False
    return wanted, f"{actual}, nothing left over", True


def _why_none(answer: Answer | None) -> str:
    if answer is None:
        return "no answer to a read-back"
    if not answer.confirms:
        return f"{answer.says} to {answer.utterance}, which read nothing back that was heard"
    if answer.says is Polarity.YES:
        return f"yes to {answer.utterance}, void since: what was read back has changed"
    return f"{answer.says} to {answer.utterance}" + (f": {answer.why}" if answer.why else "")


def _agreed(case: Case, given: Answer, name: str, value: str) -> bool:
    """This argument is what a clean yes was given to, in this answer or in an earlier one that still stands."""
    slot = next((slot for slot in case.state.slots if slot.name == name), None)
    if slot is not None:
        return bool(slot.agreed) and slot.value == value
    return any(term.name == name and registry.of(case.policy).same(term.value, value) for term in given.terms)


def contrary(case: Case) -> Result | None:
    """Nothing speaks against an act since it was asked for, or since the yes that it rests on."""
    if case.proposal.kind not in ACTS:
        return None
    state, given = case.state, case.state.consent
    since = case.proposal.basis
    if case.needs.yes == "clean" and given is not None:
        since = min(since, given.revision)
    wanted = f"nothing against it after revision {since}"
    taken_back = _taken_back(case) or _called_off(case)
    if taken_back:
        return wanted, taken_back, False
    for signal in evidence.standing(state.ledger):
        if signal.revision <= since:
            break
        said = evidence.first_said(state.ledger, signal)
        if signal.sign in _CONTRARY and signal.strength >= CONTRARY_AT and said.revision > since:
            return wanted, f"{signal.sign} at revision {said.revision}", False
    if state.said_revision > since:
        if case.needs.yes == "clean" and case.moment is not Moment.PROVISIONAL:
            return wanted, f"words after the yes, at revision {state.said_revision}", False
        read = registry.of(case.policy).assent(state.hearing.words, ())
        if read.takes_back:
            return wanted, f"{read.why} at revision {state.said_revision}", False
    return wanted, "nothing", True


def _called_off(case: Case) -> str:
    """A person was asked for, and refused again in the same turn: a transfer's basis is newer than both.

    What the request's own segment says beside it is a reason ("a person, I don't want a machine").
    """
    state = case.state
    asked = next(evidence.standing(state.ledger, _PERSON), None) if case.proposal.kind is Kind.TRANSFER else None
    if asked is None or not any(segment.id == asked.segment for segment in state.hearing.segments):
        return ""
    for signal in evidence.standing(state.ledger, _CONTRARY):
        if signal.id < asked.id:
            break
        if signal.strength >= CONTRARY_AT and signal.segment != asked.segment:
            return f"{signal.sign} at revision {signal.revision}, after a person was asked for"
    return ""


def _taken_back(case: Case) -> str:
    """The same act was taken back, and has not been asked for since."""
    acts = case.state.authority.acts
    last = next((act for act in reversed(acts) if act.action == case.name), None)
    if last is None or not last.withdrawn or last.arguments != case.proposal.arguments:
        return ""
    asked = next(evidence.standing(case.state.ledger, _ASKING), None)
    if asked is not None and evidence.first_said(case.state.ledger, asked).at_ms > last.at_ms:
        return ""
    return f"taken back {case.state.now_ms - last.at_ms} ms ago, and not asked for since"


def evidence_age(case: Case) -> Result | None:
    """The newest evidence in favour is not too old."""
    age_max_ms = case.needs.evidence_age_ms
    if age_max_ms is None:
        return None
    newest = next(evidence.standing(case.state.ledger, SUPPORTING), None)
    if newest is None:
        return f"at most {age_max_ms} ms", "no evidence", False
    age_ms = case.state.now_ms - newest.at_ms
    return f"at most {age_max_ms} ms", f"{newest.sign} {age_ms} ms ago", age_ms <= age_max_ms


def final_words(case: Case) -> Result | None:
    """What cannot be undone rests on at least one reading that the recognizer will not take back."""
    if not case.needs.irreversible:
        return None
    found = evidence.standing(case.state.ledger, SUPPORTING)
    final = next((signal for signal in found if not signal.provisional), None)
    actual = f"{final.sign}, {case.state.now_ms - final.at_ms} ms ago" if final is not None else "none"
    return "a final signal in favour", actual, final is not None


# --- do other readers read it so ------------------------------------------------------------------------------------


def reading(case: Case) -> Result | None:
    """No other reader reads the answer otherwise; one that is asked for has its time."""
    if not case.needs.irreversible:
        return None
    rules = case.policy.gate
    required = rules.reader == "required"
    if not rules.readers and not required:
        return None
    given = case.state.consent
    wanted = "a reader's yes" if required else "no reader's contrary word"
    if given is None:
        return wanted, "no answer to read", False
    if given.contrary:
        says = next(found.says for name, found in given.readings if name == given.contrary)
        return wanted, f"{given.contrary}: {says}", False
    missing = _missing(case, given)
    waited_ms = case.state.now_ms - given.at_ms
    if missing and waited_ms < rules.reading_ms:
        return f"{wanted} within {rules.reading_ms} ms", f"none of {listed(missing)} after {waited_ms} ms", False
    if required and not given.readings:
        return wanted, f"none after {waited_ms} ms", False
    return wanted, listed(f"{name}: {found.says}" for name, found in given.readings) or "none came", True


def reading_due(case: Case) -> bool:
    """A reader's word may still come in time."""
    given = case.state.consent
    if given is None or given.contrary or case.state.now_ms - given.at_ms >= case.policy.gate.reading_ms:
        return False
    return bool(_missing(case, given))


def _missing(case: Case, given: Answer) -> list[str]:
    known = {name for name, _ in given.readings}
    return [name for name in case.policy.gate.readers if name in case.state.agents and name not in known]


# --- parts ----------------------------------------------------------------------------------------------------------


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
    return f"{listed(names)} {'confirmed' if confirmed else 'heard'}", listed(found), ok


def _decimals(least: float, found: float) -> int:
    """How many decimals it takes to show that two shares differ: nobody is denied 80% for having 80%."""
    return next((n for n in range(DECIMALS_MAX) if f"{least:.{n}%}" != f"{found:.{n}%}"), DECIMALS_MAX)
