"""What the caller is owed and could not be given when it was due, because somebody coughed, or spoke.

    result      what came of an act, or that it was taken back
    timer       a round that an agent asked for and whose time has come
    key         an answer to a key that was pressed over words that play on
    reply       an answer to words that were final only when the round about them was over
    sentence    the rest of what the agent was saying when noise cut it off
    unapproved  that an operator's yes did not come

Here it is noted, and taken off when it was heard; how it is paid is `gate/debts.py`'s matter.
"""

from __future__ import annotations

from ..core.dialogue import Debt
from ..core.draft import Draft, FollowUp
from ..core.proposals import CORE, Purpose
from ..core.state import CallState, Utterance
from ..core.topics import Topic

TIMER = "owed"
DEBTS_MAX = 16  # more at once is an agent's loop; the oldest is written off
UNAPPROVED = "unapproved"  # an operator said no to an act, or did not answer
_BESIDE = frozenset({Purpose.REPAIR, Purpose.REASSURANCE, Purpose.GREETING})  # these tell of no act


def owe(draft: Draft, kind: str, what: str) -> None:
    """Note what is owed; once."""
    state = draft.state
    if any(debt.kind == kind and debt.what == what for debt in state.debts):
        return
    state.debts = (*state.debts, Debt(kind, what, state.now_ms))
    if len(state.debts) > DEBTS_MAX:
        draft.then(FollowUp.DEBTS_OVERFLOW)
    draft.publish(Topic.DEBT, what="owed", kind=kind, of=what)


def paid(draft: Draft, kind: str, what: str) -> None:
    """It was given."""
    state = draft.state
    left = tuple(debt for debt in state.debts if debt.kind != kind or debt.what != what)
    if len(left) != len(state.debts):
        state.debts = left
        draft.publish(Topic.DEBT, what="paid", kind=kind, of=what)
    if not left:
        draft.disarm(TIMER)


def heard(draft: Draft, utterance: Utterance) -> None:
    """The caller has heard an utterance: what it told is owed no longer."""
    for debt in draft.state.debts:
        told = _tells(draft, utterance, debt) if debt.kind == "result" else _speaks_of(utterance, debt)
        if debt.kind in ("result", "unapproved") and told:
            paid(draft, debt.kind, debt.what)


def _speaks_of(utterance: Utterance, debt: Debt) -> bool:
    """It was said in the round for this debt, or by the core for it."""
    ours = utterance.agent == CORE and utterance.purpose is Purpose.ANSWER and not utterance.about
    return utterance.id == debt.by or (ours and utterance.sent_ms >= debt.since_ms)


def _tells(draft: Draft, utterance: Utterance, debt: Debt) -> bool:
    """It says so; or an agent that says nothing of the kind spoke of it in the round for it, or simply next.

    Of what cannot be undone, and of what was taken back, the act's own matter must be in the words.
    """
    if utterance.about.partition(":")[0] == debt.what:
        return True
    if utterance.agent == CORE or utterance.about or utterance.sent_ms <= debt.since_ms:
        return False
    act = next((act for act in draft.state.authority.acts if act.grant == debt.what), None)
    if utterance.purpose is Purpose.CONFIRMATION and not (act is not None and act.withdrawn):
        return False  # a question tells of no outcome, but that another value is asked about now
    needs = draft.policy.gate.actions.get(act.action) if act is not None else None
    if act is not None and (act.withdrawn or (needs is not None and needs.irreversible)):
        return any(term.name == name for term in utterance.terms for name, _ in act.arguments)
    return utterance.id == debt.by or utterance.purpose not in _BESIDE


def facts(state: CallState) -> bool:
    """Something is owed that is said before anybody asks the caller to say it again."""
    return any(debt.kind in ("result", "unapproved") for debt in state.debts)
