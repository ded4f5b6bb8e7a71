"""What can go wrong while a call runs; the bases are those of `offhook.policies.core.errors`."""

from __future__ import annotations

from offhook.policies.core.errors import CallerFault, WorldFault


class ProtocolFault(CallerFault):
    """A peer on a link sent what the protocol does not allow; its link is closed, nothing else is touched."""


class LinkLost(WorldFault):
    """The process at the other end of a link is gone or cannot be reached."""


class JournalAway(WorldFault):
    """The journal's store does not take records now; calls go on, irreversible actions wait."""


class Fenced(WorldFault):
    """A newer owner exists: what an older epoch sends is refused."""


class NoSpare(WorldFault):
    """No warm call actor is free on this node."""


class EngineAway(WorldFault):
    """A speech engine cannot be reached; the call goes on without it."""


class OptionsRefused(CallerFault):
    """A speech engine cannot do what the options ask for (a language, a voice); the message says what it can."""


class NoSuchCall(CallerFault):
    """No call of this name is known here."""


class NoSuchProposal(CallerFault):
    """No proposal of this name waits for a person in that call; the message names those that do."""


class OwnJournal(WorldFault):
    """Only the node that has a call's journal can go on with it: the nodes share none."""


class UnknownPolicy(CallerFault):
    """No policy of this version was published; the message names those that were."""


class JournalDamaged(WorldFault):
    """A stored record is not what was written."""


class WrongSound(CallerFault):
    """Bytes are not the audio that they should be, or of a format that is not taken here; the message says which."""
