"""Makes a fresh process ready for its first call: imports what a call needs and runs each part once.

The first call of a process must not be slower than the others: codecs are compiled on first use, tables are filled,
pages are touched. Nothing here leaves a trace in a call.
"""

from __future__ import annotations

from offhook.policies import events as ev
from offhook.policies.codec import decode, encode
from offhook.policies.errors import IllegalEvent
from offhook.policies.machine import step
from offhook.policies.policy import AgentSpec, Policy
from offhook.policies.state import CallState
from offhook.policies.view import view_of

from .ears import Ears
from .sound import Sound
from .sources import ToneSource

FRAMES = 50  # one second of silence and hum through the ears
_HUM = bytes(range(0x90, 0xA0)) * 10  # 160 bytes of something that is not silence
_SILENCE = b"\xff" * 160


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
    ]
    for number in range(FRAMES):
        ears.feed(_HUM if number % 10 < 5 else _SILENCE, number * 20)
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
    decode(encode(state))
    view_of(state, policy)
    events.append(ev.LineClosed(2_000, "warm-up"))
    step(state, events[-1], policy)
