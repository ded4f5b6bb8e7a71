"""What can be asked of a call, wherever it is led: the operations of its node's supervisor that name one call.

The records that they answer are here too. How they travel: `operations.py`; the node's own operations:
`node_operations.py`.
"""

# An operation has no body: what it answers is the actor's matter.
# mypy: disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from offhook.policies.core.principal import Principal
from offhook.policies.core.records import Record
from pydantic import Field

from .operations import PLAIN, Operations, repeatable

RECORDS_MAX = 10_000  # in one answer
AFTER_SEQ_MAX = (1 << 32) - 1  # no journal numbers its records higher (`journals/journal.py`, SEQ_MAX)

AfterSeq = Annotated[int, Field(ge=-1, le=AFTER_SEQ_MAX)]  # of a record or a notice; -1 = from the first on
RecordLimit = Annotated[int, Field(ge=1, le=RECORDS_MAX)]

Records = Annotated[list[Record], PLAIN]  # of a journal, as they are
View = Annotated[Mapping[str, Any], PLAIN]  # what a call knows (`policies/conversation/view.py`)


@dataclass(frozen=True, slots=True)
class CallAddress:
    """Where a link to a call's owner is opened: at `endpoint`, under `token`."""

    endpoint: str
    token: str
    epoch: int


@dataclass(frozen=True, slots=True)
class AwaitedApproval:
    """A proposal that waits for an operator."""

    proposal: str
    action: str = ""
    until_ms: int = 0  # on the call's clock


@dataclass  # as `CallSummary`
class ProgressSummary:
    """How a call goes, as its records tell."""

    policy: str = ""  # its name
    stage: str = ""
    answered_ms: int = 0  # on the call's clock; 0 = not yet
    waiting: tuple[AwaitedApproval, ...] = ()
    failures: int = 0  # of its agents
    failed: str = ""  # the newest: "guide: KeyError at agents/guide.py:21 in propose"
    ended_by: str = ""  # who or what ended it, in words


@dataclass  # neither frozen nor with slots: a thousand of them are made, sent and read in half the time
class CallSummary:
    """One call in a list: who leads it, since when, how it ended. Without its tokens."""

    call: str
    epoch: int = 0
    owner: str = ""  # the resident that leads it
    pid: int = 0
    policy_version: str = ""
    direction: str = "inbound"
    caller: str = ""  # personal data
    callee: str = ""  # personal data
    created_unix_ms: int = 0
    ended_unix_ms: int = 0  # 0 = it goes on
    live: bool = False
    outcome: str = ""
    seq: int = 0  # of its newest record
    takeovers: int = 0
    tenant: str = ""
    progress: ProgressSummary = field(default_factory=ProgressSummary)


@dataclass(frozen=True, slots=True)
class CallList:
    """Some calls, newest first, and how many there are like them."""

    calls: tuple[CallSummary, ...] = ()
    total: int = 0


@dataclass(frozen=True, slots=True)
class ActBegun:
    """One thing that a tool did for a call, by the register of acts."""

    action: str
    key: str
    tries: int  # how often it was begun


@dataclass(frozen=True, slots=True)
class TimedNotice:
    """One notice of a call (`messages.py`), and when its node heard of it, on the call's clock."""

    seq: int
    at_ms: int = 0
    revision: int = 0
    turn: int = 0
    topic: str = ""
    body: Annotated[Mapping[str, Any], PLAIN] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class News:
    """What is new of a call. `missed`: notices before these are not here any more, so look at the whole state."""

    notices: tuple[TimedNotice, ...] = ()
    next_after_seq: int = -1
    missed: bool = False
    live: bool = True


class CallOperations(Operations):
    """Asked of the supervisor of the node that has the call. Each raises NoSuchCall where the call is not known."""

    @repeatable
    async def claim(self, call: str, lost_epoch: int = 0) -> CallAddress:
        """Where the call's owner takes the media link; waits while the call is being taken over.

        Args:
            lost_epoch: of the owner whose link the gateway has just lost; 0 = it had none.
        """

    @repeatable
    async def observe(self, call: str) -> CallAddress:
        """Where the call's owner takes observers; waits like `claim`."""

    @repeatable
    async def follow(self, call: str, after_seq: AfterSeq = -1, wait_s: float = 0.0) -> News:
        """What is new of a live call. `live` False tells who has followed it to its end that there will be no more.

        Args:
            after_seq: of a notice; -1 = all that is kept.
            wait_s: for news, where there is none; 20 at most.
        """

    @repeatable
    async def state(self, call: str) -> View:
        """The call's view with its summary; once it is over, its last."""

    @repeatable
    async def journal(self, call: str, after_seq: AfterSeq = -1, limit: RecordLimit = 1_000) -> Records:
        """Records of a call after `after_seq`, in order."""

    @repeatable
    async def verdicts(self, call: str) -> Annotated[list[Any], PLAIN]:
        """Every answer of the gate as a codec array, oldest first."""

    @repeatable
    async def acts(self, call: str) -> list[ActBegun]:
        """What tools did for a call, by their register."""

    @repeatable
    async def kept(self, call: str) -> Annotated[Mapping[str, Any], PLAIN] | None:
        """What the journal has noted of a call (`journals/journal.py`, Kept), to tell what is missing from what was
        dropped; None = it is none of the newest."""

    @repeatable
    async def hangup(self, call: str, by: Principal, reason: str) -> None:
        """End a live call, with its goodbye where the policy has one. Raises: LinkLost: its owner is away."""

    @repeatable
    async def decide(self, call: str, proposal: str, approved: bool, operator: Principal) -> None:
        """An operator's answer to a proposal that waits for approval. Raises: LinkLost: the owner is away."""

    @repeatable
    async def dialled(self, call: str, grant: str, taken: bool, how: str) -> None:
        """Tell a live call how the transfer of that grant ended, in the carrier's word. Raises: LinkLost."""
