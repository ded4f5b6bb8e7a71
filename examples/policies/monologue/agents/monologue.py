"""An agent that only talks: one long speech at the start, one more for every turn of the caller. For measuring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offhook.policies.agents.base import Agent
from offhook.policies.core.proposals import Asks, Kind, Proposal, Purpose

# Each takes 45 to 60 seconds to say at a telephone's usual 150 to 180 words a minute.
SPEECHES = (
    "Good day, and thank you for calling. I would like to tell you about the old lighthouse at the end of our"
    " harbour, which has stood there for more than two hundred years. It was built by a captain who had lost two ships"
    " on the rocks below, and who did not want anybody else to lose a third. He paid for the stones out of his own"
    " pocket, and he carried the first of them up the hill himself. The lamp burned whale oil in those days, and"
    " somebody had to climb the stairs every four hours, in every weather, to trim the wick. There were six keepers in"
    " all. The first was a retired sailor with a wooden leg, and the last was his great granddaughter, who wrote down"
    " every ship that passed, with its name, its cargo and its home port. Her notebooks fill a whole shelf in the town"
    " library, and you may read them on any weekday between nine and five. In summer there are guided tours every"
    " hour, and on a clear evening you can see the mountains on the far side of the bay from the gallery at the top.",
    "Let me go on, then, with the garden behind the lighthouse, because many visitors walk past it without noticing."
    " The keepers grew their own vegetables there, between walls that keep out the salt and the wind. There are four"
    " square beds, one for each season, and in the middle stands a pear tree that is almost as old as the tower. It"
    " still bears fruit every autumn, small and hard and very sweet, and the children of the town have the right to"
    " pick the first basket on the last Sunday in September. Nobody knows who gave them that right, but nobody has"
    " ever dared to take it away either. Beside the gate there is a bench made from the mast of a ship, and carved"
    " into it are the names of the forty people who were brought ashore in the great storm. If you sit there in the"
    " late afternoon, you can hear the bell buoy out in the channel, and with a little luck you will see the seals"
    " come in with the tide.",
    "There is one more story that belongs here, and it is about the winter when the harbour froze. It had never"
    " happened before, and it has not happened since. For eleven days no boat could leave, and the post came over the"
    " ice on a sled that was pulled by two very patient dogs. The baker ran out of flour on the fifth day, and from"
    " then on the whole town ate fish and potatoes and told each other how good it was. On the seventh night the lamp"
    " in the tower went out, because the oil had become too thick to burn. The keeper woke her neighbours, and they"
    " stood on the stairs in a long line, all the way from the kitchen to the gallery, and passed up hot water in"
    " kettles and pots to keep the tank warm until the morning. The lamp was lit again after twenty minutes. On the"
    " twelfth day the wind turned, the ice broke up with a noise like thunder, and the first boat out brought back"
    " flour, coffee and news.",
)


class Monologue(Agent):
    """Speaks the next of SPEECHES when the line is answered and after every turn of the caller."""

    def propose(self, view: Mapping[str, Any], reason: str) -> list[Proposal]:
        """One long utterance; none for a silence or a finished action."""
        first = not view["done"].get("say:greeting")
        if not first and reason not in ("turn_ended", "interrupted"):
            return []
        number = view["done"].get("say:answer", 0) + (0 if first else 1)
        return [
            Proposal(
                id=f"{self.name}:{view['revision']}",
                agent=self.name,
                kind=Kind.SAY,
                turn=view["turn"],
                basis=view["revision"],
                text=SPEECHES[number % len(SPEECHES)],
                purpose=Purpose.GREETING if first else Purpose.ANSWER,
                asks=Asks.OPEN,
                reason="the line is open" if first else "the caller has spoken",
            )
        ]
