"""The last state of a call that is over: its journal, folded once more. Kept, because nothing can change it."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import Any

from offhook.policies.conversation.view import view_of
from offhook.policies.core.errors import OffhookError
from offhook.policies.core.policy import recorded_policy
from offhook.policies.core.records import Record, Start
from offhook.policies.replay.replay import replay

from ..client.control_client import ControlClient

log = logging.getLogger(__name__)

KEPT_MAX = 200  # calls
RECORDS_MAX = 200_000  # a whole day on one line has fewer
RECORDS_AT_ONCE = 5_000


class Recorded:
    """Views of calls that are over."""

    def __init__(self, control_client: ControlClient) -> None:
        self._control_client = control_client
        self._views: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def view(self, call: str) -> dict[str, Any]:
        """What the call knew at its end (`policies/conversation/view.py`); {} where its journal does not say."""
        if call not in self._views:
            records = await read_all(self._control_client, call)
            self._views[call] = await asyncio.to_thread(_fold, records)
            if len(self._views) > KEPT_MAX:
                self._views.popitem(last=False)
        return self._views[call]


async def read_all(control_client: ControlClient, call: str) -> list[Record]:
    """Every record of a call, in order."""
    records: list[Record] = []
    while len(records) < RECORDS_MAX:
        page = await control_client.journal(call, records[-1].seq if records else -1, RECORDS_AT_ONCE)
        records += page
        if len(page) < RECORDS_AT_ONCE:
            break
    return records


def _fold(records: list[Record]) -> dict[str, Any]:
    try:
        start = next((start for record in records if (start := record.told(Start)) is not None), None)
        if start is None or not start.policy:
            return {}
        policy = recorded_policy(start.policy)
        return {**view_of(replay(records).state, policy)}
    except (OffhookError, ValueError) as error:
        log.warning("a journal cannot be folded: %s", error)
        return {}
