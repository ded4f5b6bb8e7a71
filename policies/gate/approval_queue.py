"""Acts that wait for an operator's yes. What follows from a yes, a no, or from none, is `approvals.py`'s matter."""

from __future__ import annotations

from ..core.draft import Draft, FollowUp
from ..core.parts import replace
from ..core.proposals import Proposal
from ..core.topics import Topic
from .case import name_of

TIMER = "gate.approvals"
WAITING_MAX = 8  # proposals that wait for the floor or an operator; more at once is a loop, not a conversation


def ask(draft: Draft, proposal: Proposal, same: Proposal | None, rest: tuple[Proposal, ...]) -> None:
    """Put an act before the operators; `same` = it waits already, in an older form."""
    until_ms = draft.state.now_ms + draft.policy.gate.approval_ms
    kept = replace(proposal, id=same.id if same is not None else proposal.id, expires_ms=until_ms)
    draft.state.authority = replace(draft.state.authority, approvals=(*rest, kept))
    draft.arm(TIMER, min(waiting.expires_ms for waiting in (*rest, kept)) + 1)
    draft.publish(
        Topic.APPROVAL, what="asked", proposal=kept.id, action=name_of(kept), until_ms=until_ms, pii_text=kept.text
    )
    if same is None and not rest:
        draft.then(FollowUp.APPROVAL_ASKED)
