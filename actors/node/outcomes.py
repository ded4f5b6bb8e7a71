"""How a call ended whose process could not end it itself, in the words that the node writes into the journal.

What a call's own process writes is its policy's or the core's word, and not here.
"""

from __future__ import annotations

DIED = "call process died"  # and nobody could take the call over
LOST = "node lost"  # the call's carrier did not come back
MOVED = "moved to another node"
STOPPED = "the node was stopped"
NOT_BEGUN = "could not begin"  # followed by the reason, in words
