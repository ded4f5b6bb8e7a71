"""Makes a fresh process ready for its first call: imports what a call needs and runs each part once.

The first call of a process must not be slower than the others: codecs are compiled on first use, tables are filled,
pages are touched. Nothing here leaves a trace in a call.
"""

from __future__ import annotations

from offhook.policies.conversation.machine import step
from offhook.policies.conversation.view import view_of
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.errors import IllegalEvent
from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.core.proposals import Kind, Proposal, Purpose
from offhook.policies.core.records import EVENT, SNAPSHOT, Record
from offhook.policies.core.state import CallState

from ..audio.format import FRAME_BYTES, FRAME_MS, SILENT_FRAME
from ..audio.sound import Sound
from ..ears import Ears
from ..engines.sources import ToneSource
from .resume import fold

FRAMES = 50  # one second of silence and hum through the ears
_HUM = bytes(0x90 + place % 16 for place in range(FRAME_BYTES))  # something that is not silence


def warm_up() -> None:
    """Run a second of a call that nobody has."""
    policy = Policy(name="warm-up", agents={"none": AgentSpec(code="none:None", calls_per_actor=1)})
    Policy.model_validate(policy.model_dump(mode="json"))
    state = CallState()
    ears = Ears(policy.ears)
    events: list[ev.Event] = [
        ev.CallCreated(0, "warm-up", "inbound", "", "", "warm-up"),
        ev.LineAnswered(1),
        ev.AgentJoined(2, "none"),
        ev.SpeechStarted(500, 440, -20.0, 20.0, 120.0),
        ev.WordsHeard(600, 0, "hello", False, 440, 600),
        ev.SpeechEnded(900, 440, 740, 300, -20.0, 120.0),
        ev.WordsHeard(1_000, 0, "hello there", True, 440, 740),
        ev.AgentAnswered(1_100, "none", 1, 7, (Proposal("p", "none", Kind.SAY, 1, 7, "hello", Purpose.GREETING),)),
        ev.SpeechMeasured(1_200, 440, 300, -20.0, 20.0, 120.0),
        ev.DigitPressed(1_300, "1"),
        ev.PlaybackStarted(1_400, "u1"),
        ev.PlaybackReached(1_500, "u1", 100, 0, True),
        ev.PlaybackStopped(1_600, "u1", 100, ""),
        ev.PlaybackEnded(1_700, "u1", True),
        ev.TimerFired(1_800, "silence", 1_800),
        ev.ActionFinished(1_850, "g1", True, ""),
        ev.HealthChanged(1_900, "recognizer", False),
        ev.AgentLost(1_950, "none", "warm-up"),
    ]
    for number in range(FRAMES):
        ears.feed(_HUM if number % 10 < 5 else SILENT_FRAME, number * FRAME_MS)
    for event in events:
        decode(encode(event))
        try:
            decision = step(state, event, policy)
        except IllegalEvent:
            continue
        for command in decision.commands:
            decode(encode(command))
        state = decision.state
    ToneSource().speak("warm-up", Sound("hello"))  # renders the tone
    view_of(state, policy)
    # As in a takeover: a snapshot, what follows, another owner.
    tail = [Record("warm-up", 1, 1, 1_950, SNAPSHOT, encode(state))]
    tail.append(Record("warm-up", 1, 2, 1_960, EVENT, encode(ev.OwnerChanged(1_960, 2))))
    tail.append(Record("warm-up", 1, 3, 1_960, EVENT, encode(ev.SpeechStarted(1_970, 1_900, -20.0, 20.0, 120.0))))
    fold(tail, policy)
    events.append(ev.LineClosed(2_000, "warm-up"))
    step(state, events[-1], policy)
