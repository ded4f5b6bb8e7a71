"""The basis: what a proposal that was judged before still rests on, and which of it has moved since it was computed.

A proposal fresh from its agent is fenced by the turn (`rules.fresh`). One that waits for the floor, for an operator or
for the journal is not stale because somebody murmured: it is stale when what it rests on has moved. What its own rules
read (slots, concerns, consent, readiness) they compare by themselves at that moment; here is the rest: the words that
it answers, and what its agent named besides (`Proposal.rests_on`). An agent may widen the basis; nothing narrows it.
"""

from __future__ import annotations

from ..core.proposals import CORE, Kind
from ..core.state import CallState, Sign
from ..evidence import evidence
from .case import Case

WORDS, SIGNALS, CONCERNS, SLOT, CONCERN = "words", "signals", "concerns", "slot:", "concern:"
_ANSWERING = (Kind.SAY, Kind.HANDOFF, Kind.HANGUP)  # these answer what was said; an act rests on its rules


def known(name: str) -> bool:
    """True for a name that `rests_on` may have."""
    return name in (WORDS, SIGNALS, CONCERNS) or name.startswith((SLOT, CONCERN))


def moved(case: Case) -> list[str]:
    """The names of what it rests on that has moved after its basis."""
    proposal, state = case.proposal, case.state
    names = list(proposal.rests_on)
    if proposal.agent != CORE and (proposal.kind in _ANSWERING or case.heard) and WORDS not in names:
        names.append(WORDS)
    found = [name for name in names if _moved(state, name, proposal.basis)]
    if proposal.basis > state.revision:
        found.append("a revision that never was")
    return found


def _moved(state: CallState, name: str, since: int) -> bool:
    if name == WORDS:
        return state.said_revision > since
    if name == SIGNALS:
        return _signal_since(state, since)
    if name == CONCERNS:
        return any(_concern_since(state, concern.topic, since) for concern in state.concerns)
    if name.startswith(SLOT):
        return _signal_since(state, since, Sign.DETAIL, name.removeprefix(SLOT))
    return _concern_since(state, name.removeprefix(CONCERN), since)


def _signal_since(state: CallState, since: int, sign: Sign | None = None, topic: str = "") -> bool:
    for signal in reversed(state.ledger.signals):
        if signal.revision <= since:
            return False
        meant = signal.sign is sign and signal.topic == topic if sign is not None else True
        if meant and evidence.first_said(state.ledger, signal).revision > since:
            return True
    return False


def _concern_since(state: CallState, topic: str, since: int) -> bool:
    concern = next((concern for concern in state.concerns if concern.topic == topic), None)
    if concern is None or not concern.history:
        return False
    return evidence.first_said(state.ledger, state.ledger.signals[concern.history[-1][2]]).revision > since
