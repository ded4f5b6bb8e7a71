"""Who picked up: people and machines answer a call, with and without a recognizer.

    python tests/benchmarks/answering.py [--sounds FOLDER] [--texts FILE] [--voices slt,rms,awb,kal]

Machines: voicemail greetings put together from Debian's `asterisk-core-sounds-en-wav` (one human voice, 8 kHz) with its
beep after them. People: short greetings spoken by `flite` and `espeak-ng`, each after 0.4 to 1.2 s of ringing-off
silence, then waiting. Screeners: their prompts, spoken by `flite`. All of it goes through the ears and the whole `step`
on virtual time. With a recognizer, words arrive 400 ms after they were spoken, as partials (of the true text).
"""

from __future__ import annotations

import argparse
import gzip
import random
import shutil
import subprocess
import tempfile
import wave
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from offhook.actors.audio.format import SILENCE
from offhook.actors.audio.mulaw import encode
from offhook.actors.ears import Ears
from offhook.policies.conversation.machine import step
from offhook.policies.core import events as ev
from offhook.policies.core.commands import HangUp, Say
from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Purpose
from offhook.policies.core.state import CallState

FRAME, FRAME_MS = 160, 20
WORDS_LATE_MS = 400
PATIENCE_S = 12

MACHINES = (
    ("theperson", "isunavail", "intro"),
    ("theperson", "isonphone", "intro"),
    ("nobodyavail", "intro"),
    ("nobodyavail", "leavemsg"),
    ("intro",),
    ("isunavail", "msginstruct"),
    ("isonphone", "leavemsg"),
    ("theperson", "isunavail", "leavemsg"),
)
PEOPLE = (
    "Hello?",
    "Hello.",
    "Yes?",
    "Yes, hi.",
    "Hi there.",
    "Hello, this is Mark.",
    "Good morning, this is Anna Miller.",
    "Yeah, who is this?",
    "Speaking.",
    "Miller residence, hello.",
    "Good afternoon, Acme Plumbing, this is Joe, how can I help you?",
    "Hello? Hello?",
)
SCREENERS = (
    "Hi, if you record your name and reason for calling, I'll see if this person is available.",
    "The person you are calling is using a screening service. Please state your name and why you are calling.",
)


@dataclass(frozen=True)
class Pickup:
    """What is heard after the line opens: mu-law audio, and each word with the moment at which it has been said."""

    kind: str  # "human", "machine", "screening"
    name: str
    audio: bytes
    words: tuple[tuple[int, str], ...]
    beep_ms: int = 0  # where the beep ends


@dataclass(frozen=True)
class Outcome:
    """What the call made of it."""

    pickup: Pickup
    decided: str
    decided_ms: int  # after the greeting began
    reason: str
    message_ms: int  # when the message began; 0 = never
    spoke_undecided: bool


def policy() -> Policy:
    """The stock section, switched on, with something to leave and something to answer."""
    return Policy.model_validate(
        {
            "name": "answering-benchmark",
            "agents": {"qualification": {"code": "offhook.policies.agents.qualification:Qualification"}},
            "answering": {
                "enabled": True,
                "message": "This is Sam from Northwind. I will try again tomorrow.",
                "screening_reply": "This is Sam from Northwind about the quote that you asked for.",
            },
        }
    )


def run(pickup: Pickup, words: bool) -> Outcome:
    """One call on virtual time."""
    rules = policy()
    ears = Ears(rules.ears)
    state = CallState()
    said: list[tuple[int, Purpose]] = []
    decided_ms, spoke_undecided = 0, False
    pending = list(pickup.words) if words else []

    def feed(event: ev.Event) -> bool:
        nonlocal state, decided_ms, spoke_undecided
        decision = step(state, event, rules)
        state = decision.state
        if state.answering.decided and not decided_ms:
            decided_ms = event.at_ms
        for command in decision.commands:
            if isinstance(command, Say):
                spoke_undecided |= not state.answering.decided
                said.append((event.at_ms, command.purpose))
        return any(isinstance(command, HangUp) for command in decision.commands)

    feed(ev.CallCreated(0, "c", "outbound", "+1", "+2", "v"))
    if not words:
        feed(ev.HealthChanged(0, "recognizer", False))
    feed(ev.LineAnswered(0))
    spoken: list[str] = []
    for index in range(len(pickup.audio) // FRAME):
        at_ms = (index + 1) * FRAME_MS
        for timer, deadline_ms in sorted(state.timers.items(), key=lambda item: item[1]):
            if deadline_ms <= at_ms:
                feed(ev.TimerFired(max(deadline_ms, state.now_ms), timer, deadline_ms))
        for event in ears.feed(pickup.audio[index * FRAME : (index + 1) * FRAME], at_ms):
            feed(event)
        while pending and pending[0][0] + WORDS_LATE_MS <= at_ms:
            moment, word = pending.pop(0)
            spoken.append(word)
            feed(ev.WordsHeard(at_ms, 1, " ".join(spoken), not pending, pickup.words[0][0], moment))
        if said:
            break
    message = next((at_ms for at_ms, purpose in said if purpose is Purpose.MESSAGE), 0)
    return Outcome(pickup, state.answering.decided, decided_ms, state.answering.reason, message, spoke_undecided)


# --- material -------------------------------------------------------------------------------------------------------


def lay(kind: str, name: str, parts: list[tuple[bytes, str]], lead_ms: int, beep: bytes = b"") -> Pickup:
    """Put sounds one after the other on a line; words are spread evenly over the sound that carries them."""
    audio = bytearray(SILENCE * (lead_ms * 8))
    words: list[tuple[int, str]] = []
    for sound, text in parts:
        start_ms, length_ms, tokens = len(audio) // 8, len(sound) // 8, text.split()
        words += [(start_ms + length_ms * (i + 1) // len(tokens), token) for i, token in enumerate(tokens)]
        audio += sound + SILENCE * 1_200
    beep_ms = 0
    if beep:
        audio += SILENCE * 2_400 + beep
        beep_ms = len(audio) // 8
    audio += SILENCE * (PATIENCE_S * 8_000)
    return Pickup(kind, name, bytes(audio), tuple(words), beep_ms)


def read_wave(path: Path) -> bytes:
    """A file as 8 kHz mu-law."""
    with wave.open(str(path)) as sound:
        rate = sound.getframerate()
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
    if rate != 8_000:
        taps = np.arange(95) - 47
        low_pass = np.sinc(taps * 7_200 / rate) * np.hamming(95)
        samples = np.convolve(samples, low_pass / low_pass.sum(), "same")
        samples = np.interp(
            np.arange(int(len(samples) * 8_000 / rate)) * rate / 8_000, np.arange(len(samples)), samples
        )
    return encode(np.clip(np.round(samples), -32_768, 32_767).astype("<i2").tobytes())


def machines(sounds: Path, texts: Path, chance: random.Random) -> list[Pickup]:
    """Voicemail greetings, each with the beep after it."""
    lines = gzip.decompress(texts.read_bytes()).decode().splitlines()
    said = {name: text.strip() for name, _, text in (line.partition(":") for line in lines if ":" in line)}
    beep = read_wave(sounds / "beep.wav")
    return [
        lay(
            "machine",
            " + ".join(names),
            [(read_wave(sounds / f"vm-{name}.wav"), said.get(f"vm-{name}", name)) for name in names],
            chance.randrange(300, 1_500),
            beep,
        )
        for names in MACHINES
    ]


def spoken(kind: str, texts: tuple[str, ...], voices: list[str], chance: random.Random) -> list[Pickup]:
    """The same texts in several voices; a voice whose program is absent is left out."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "speech.wav"
        for voice in voices:
            program = ["espeak-ng", "-v", "en-us", "-w"] if voice == "espeak" else ["flite", "-voice", voice, "-o"]
            if shutil.which(program[0]) is None:
                continue
            for text in texts:
                extra = [str(target), text] if voice == "espeak" else [str(target), "-t", text]
                subprocess.run([*program, *extra], check=True, capture_output=True)
                lead_ms = chance.randrange(400, 1_200)
                found.append(lay(kind, f"{voice}: {text}", [(read_wave(target), text)], lead_ms))
    return found


def report(outcomes: list[Outcome], title: str) -> None:
    """Confusion table, decision times, and what went wrong."""
    print(f"\n{title}")
    kinds, answers = ("human", "machine", "screening"), ("human", "machine", "screening", "")
    table = Counter((outcome.pickup.kind, outcome.decided) for outcome in outcomes)
    print(
        f"{'is / decided':14}" + "".join(f"{answer or 'undecided':>11}" for answer in answers) + f"{'p50 / p90 ms':>16}"
    )
    for kind in kinds:
        times = sorted(o.decided_ms - o.pickup.words[0][0] for o in outcomes if o.pickup.kind == kind and o.decided)
        if times:
            delays = f"{times[len(times) // 2]} / {times[int(len(times) * 0.9)]}"
            print(f"{kind:14}" + "".join(f"{table[kind, answer]:>11}" for answer in answers) + f"{delays:>16}")
    left = [o for o in outcomes if o.pickup.beep_ms]
    early = sum(0 < o.message_ms < o.pickup.beep_ms for o in left)
    after = sorted(o.message_ms - o.pickup.beep_ms for o in left if o.message_ms >= o.pickup.beep_ms)
    print(f"message left after the beep: {len(after)} of {len(left)}, before it: {early}", end="")
    print(f", {after[len(after) // 2]} ms after its end (p50)" if after else "")
    print(f"spoke while undecided: {sum(o.spoke_undecided for o in outcomes)}")
    for outcome in outcomes:
        if outcome.decided != outcome.pickup.kind:
            taken = f"{outcome.pickup.kind} taken for {outcome.decided or 'nothing'}"
            print(f"  {taken}: {outcome.pickup.name} ({outcome.reason})")


def main() -> None:
    """Print the tables, or why there is nothing to measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sounds", type=Path, default=Path("/usr/share/asterisk/sounds/en_US_f_Allison"))
    parser.add_argument(
        "--texts", type=Path, default=Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
    )
    parser.add_argument("--voices", default="slt,rms,awb,kal,espeak")
    parser.add_argument("--reasons", action="store_true", help="print every call's reason")
    options = parser.parse_args()
    chance = random.Random(3)
    if not (options.sounds / "beep.wav").exists() or not options.texts.exists():
        print(f"skipped machines: {options.sounds} or {options.texts} is absent (asterisk-core-sounds-en-wav)")
        pickups = []
    else:
        pickups = machines(options.sounds, options.texts, chance)
    voices = options.voices.split(",")
    people = spoken("human", PEOPLE, voices, chance)
    if not people:
        print("skipped people and screeners: neither flite nor espeak-ng is installed")
    pickups += people + spoken("screening", SCREENERS, voices, chance)
    for words in (False, True):
        outcomes = [run(pickup, words) for pickup in pickups if words or pickup.kind != "screening"]
        report(outcomes, "with a recognizer (words 400 ms late)" if words else "without words: cadence and beep alone")
        if options.reasons:
            for outcome in outcomes:
                print(f"    {outcome.pickup.name[:60]:60} {outcome.decided:10} {outcome.decided_ms:6} {outcome.reason}")


if __name__ == "__main__":
    main()
