"""What the door asks of the inside: the words between API and director, as a type.

`cluster/director.py` and the supervisors answer them; tests may answer them too. Nothing is done here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class ControlClient(Protocol):
    """Takes calls, and tells of them. Every method may raise WorldFault when the inside does not answer."""

    async def prepare(self) -> None:
        """Get ready for the first caller."""

    async def reserve(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Have a warm call actor primed for `request`: call, direction, caller, callee, policy (a name, a version
        to be pinned to, or "" for the default), and wait_s: how long the caller rings while none is free.

        Raises:
            NoSpare: none came free.
            UnknownPolicy: no such policy is published.
        """

    async def resume(self, call: str) -> dict[str, Any]:
        """Where a call goes on whose line broke: `media` (the gateway's host and port).

        Raises:
            NoSuchCall: it is over, or never was.
            NoSpare: nobody can lead it at this moment.
        """

    async def calls(self) -> list[dict[str, Any]]:
        """One row a call, newest first."""

    async def state(self, call: str) -> dict[str, Any]:
        """All that a call knows (`policies/conversation/view.py`), with its owner, epoch and policy version.

        Raises:
            NoSuchCall: there is none, and the journal has none.
        """

    async def journal(self, call: str, after_seq: int, limit: int) -> list[list[Any]]:
        """Records `[call, epoch, seq, at_ms, kind, body]` after `after_seq`, in order."""

    async def follow(self, call: str, after_seq: int, wait_s: float) -> dict[str, Any]:
        """What is new of a live call after a notice's number; waits for it: {notices, next_after_seq, missed, live}.

        Raises:
            NoSuchCall: it is not live.
        """

    async def verdicts(self, call: str) -> list[Any]:
        """Every answer of the gate as a codec array, oldest first."""

    async def hangup(self, call: str, by: str, reason: str) -> None:
        """End a call. Raises NoSuchCall: it is not live."""

    async def decide(self, call: str, proposal: str, approved: bool, operator: str) -> None:
        """An operator's answer to a proposal that waits for approval."""

    async def dialled(self, call: str, grant: str, taken: bool, how: str) -> None:
        """Tell a live call how the transfer of that grant ended, in the carrier's word. Raises: NoSuchCall."""

    async def publish(self, version: str, policy: Mapping[str, Any], parcel: bytes, lead: bool) -> dict[str, Any]:
        """Offer a policy version, with the bundle of its agents' code, to calls on every node: {name, version, leads}.

        Raises: PolicyError.
        """

    async def policies(self) -> dict[str, Any]:
        """{default, policies: [{name, version, others, versions}]}; see `cluster/desired_state.py`."""

    async def bundle(self, policy: str) -> dict[str, Any]:
        """One version by its name or its policy's: {name, version, policy, bundle}. Raises: UnknownPolicy."""

    async def withdraw(self, version: str) -> None:
        """Forget a version. Raises: UnknownPolicy, CallerFault: it is in use."""

    async def rollout_start(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Begin one: {version, plan, by}; its status. Raises: CallerFault, UnknownPolicy, PolicyError."""

    async def rollout_order(self, name: str, word: str, by: str) -> dict[str, Any]:
        """Pause, resume, promote, abort; its status. Raises: CallerFault."""

    async def rollouts(self) -> list[dict[str, Any]]:
        """One row a rollout, newest first."""

    async def rollout(self, name: str) -> dict[str, Any]:
        """One rollout's status, by its name or its policy's."""

    async def divergence(self, name: str, after: int, limit: int) -> dict[str, Any]:
        """What shadows found after a number: {rollout, rows, next_after, over, shadowing, trials}."""

    async def drain(self, node: str, on: bool) -> dict[str, Any]:
        """Give a node no new calls (`on`), or let it take them again; its figures. Raises: LinkLost: no such node."""

    async def cost(self) -> dict[str, Any]:
        """What calls have cost: {since_unix_s, prices, rows, total}."""

    async def measured(self) -> dict[str, Any]:
        """Metrics of every node that answers, and the fleet's: {nodes: {node: rows}, fleet: rows}; a row a series."""

    async def stats(self) -> dict[str, Any]:
        """Figures of every node."""
