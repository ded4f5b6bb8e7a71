"""A supervisor whose raylet is gone: it leaves its calls to the other nodes.

In a journal that nodes share, any other node can go on with them, and does so when their carriers come back, which
they do once this node's gateway has closed their streams. So nothing is ended here any more and nobody is taken over:
the call processes leave at the same moment, what they had written last is stored, and the supervisor ends.

A journal of the node's own leaves nobody who could go on with a call: it is lost when its process is. Then all go on
for as long as Ray lets them live: a second, or most of a minute where nobody reaps the raylet, as where `offhook up`
has started Ray itself. Every second of that is the caller's, who may be done by then; spares take over, ends are
written. Only new calls are refused: they could not last.

So it is on the head's node, whatever the journal: the director is bound to it, and without one no carrier is told where
its call goes on. Where there is one node only, it is the head's.
"""

from __future__ import annotations

import asyncio
import logging

from ..contracts.errors import LinkLost
from ..journals.journal import Journal
from ..process.raylet import Raylet
from .residents import LOOK_MS, READ_OUT_MS, Residents

log = logging.getLogger(__name__)


class NodeLoss:
    """One supervisor's."""

    def __init__(self, raylet: Raylet, journal: Journal, residents: Residents) -> None:
        self._raylet = raylet
        self._journal = journal
        self._residents = residents

    @property
    def elsewhere(self) -> bool:
        """Calls that are led here could go on on another node."""
        return self._journal.shared and not self._raylet.head

    @property
    def left(self) -> bool:
        """The calls that were led here are another node's to lead."""
        return self.elsewhere and self._raylet.gone

    def may_begin(self) -> None:
        """Whether a new call may begin here. Raises: LinkLost: this node has no future."""
        if self._raylet.gone:
            raise LinkLost("the raylet of this node is gone: it takes no calls")

    def may_lead(self) -> None:
        """Whether a call may be led here from now on. Raises: LinkLost: it is another node's."""
        if self.left:
            raise LinkLost("the raylet of this node is gone: its calls are led elsewhere")

    def watch(self) -> None:
        """From here on, leave when the raylet does."""
        self._raylet.follow(self._leave, lambda: self.elsewhere)

    async def _leave(self) -> None:
        """Take in what the call processes send in their last moment, and store it."""
        for _ in range(READ_OUT_MS // LOOK_MS):
            if not self._residents.linked("call"):
                break
            await asyncio.sleep(LOOK_MS / 1_000)
        await self._journal.close()
