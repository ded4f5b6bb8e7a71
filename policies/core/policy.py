"""The policy: every threshold by which a call is led, with its unit, its bounds and its default.

One section a subject. A section holds data only; the file of the same name reads it. Files are read and their line
numbers reported by `serve/bundles/policy_files.py`; texts and prompts of the agents are data of the policy too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ..language.lines.lines import DEFAULT, TAG, lines_of, section
from ..plug_ins.finder import PlugInError
from .proposals import CORE
from .state import Stage
from .units import Section

Level = Literal["observe", "suggest", "approve", "act"]


def _line(key: str) -> Any:
    """A line that a language has by default."""
    return Field(default_factory=lambda: lines_of(DEFAULT)[key])


def _lines(prefix: str) -> Any:
    """Several; those that a policy does not name keep their default."""
    return Field(default_factory=lambda: section(DEFAULT, prefix))


class Ears(Section):
    """Voice activity: when a talkspurt counts as begun and as over. Read by `actors/ears`."""

    # "confirmed" = a second stage checks what the first fires on; "silero" = a network does, at 24 MB a call
    detector: Literal["webrtc", "confirmed", "silero"] = "confirmed"
    aggressiveness: int = Field(2, ge=0, le=3)  # webrtcvad's mode
    onset_ms: int = Field(40, ge=20, le=300)  # voiced within the window before an onset counts
    onset_window_ms: int = Field(60, ge=20, le=500)
    hangover_ms: int = Field(160, ge=40, le=1_000)  # unvoiced before a talkspurt counts as over
    minimum_snr_db: float = Field(6.0, ge=0, le=40)  # above the adaptive noise floor
    # No frame for so long inside a talkspurt, and it is over: the carrier's sound has stopped. Silence follows, whose
    # ladder ends a call without anybody; a deadline of its own would hang up on callers whose carriers send no silence.
    media_stall_ms: int = Field(600, ge=200, le=5_000)
    wordless_ms: int = Field(
        10_000, ge=2_000, le=60_000
    )  # of speech that a recognizer answers with nothing: it is lost


class BargeIn(Section):
    """Beat one holds, beat two decides: barge-in, backchannel, or noise."""

    decision_window_ms: int = Field(500, ge=100, le=2_000)  # from the onset
    take_at_share: float = Field(0.5, ge=0, le=1)  # probability of a floor take at which the speech is cut
    early_take_at_share: float = Field(0.9, ge=0, le=1)  # ... before the window has passed
    noise_below_ms: int = Field(120, ge=20, le=500)  # less voiced speech than this is noise
    words_after_ms: int = Field(900, ge=0, le=5_000)  # how long after a cut its words may come in
    wordless_ms: int = Field(4_000, ge=0, le=60_000)  # for so long in all may sound without a word hold one utterance


class Endpointing(Section):
    """Patience at the end of a caller's turn."""

    base_ms: dict[Stage, int] = Field(default_factory=lambda: dict(_BASE_PATIENCE_MS))
    floor_ms: int = Field(250, ge=50, le=2_000)
    ceiling_ms: int = Field(2_500, ge=200, le=10_000)
    step_share: float = Field(0.15, ge=0, le=1)  # the most that one observed pause moves the caller's cadence
    semantic: bool = True  # weigh how complete the words are
    digit_gap_ms: int = Field(2_500, ge=200, le=10_000)  # between two keys; `#` ends the entry at once
    unread_ms: int = Field(1_200, ge=0, le=5_000)  # from the end of speech, how long its words are waited for


class SilenceLadder(Section):
    """Silence after the agent spoke. Deadlines count from the end of playback that the carrier confirmed."""

    hesitating_after_ms: int = Field(3_000, ge=500, le=30_000)
    absent_after_ms: int = Field(9_000, ge=1_000, le=60_000)
    room_after_offer_ms: int = Field(6_000, ge=500, le=60_000)  # a price is thought over
    room_after_wait_ms: int = Field(25_000, ge=1_000, le=300_000)  # "hold on a second"
    rung_gap_ms: int = Field(6_000, ge=1_000, le=60_000)  # between two rungs
    noise_ms: int = Field(4_000, ge=500, le=60_000)  # so long may sound without words put off a rung
    speech_ms: int = Field(15_000, ge=500, le=120_000)  # ... where no recognizer can tell noise from a long answer
    busy_ms: int = Field(60_000, ge=1_000, le=600_000)  # so long does a tool at work keep the ladder still
    hold_ms: int = Field(120_000, ge=1_000, le=1_800_000)  # ... and so long do holds, one after the other
    alone_ms: int = Field(180_000, ge=5_000, le=3_600_000)  # without a word of the caller, however much is said to them
    lines: dict[str, str] = _lines("silence")  # rung -> what is said


class Presence(Section):
    """A line on which nobody is to be talked to: how long it is borne, and what is said at the end of it."""

    hold_ms: int = Field(180_000, ge=1_000, le=7_200_000)  # announcements to callers on hold, and music
    menu_ms: int = Field(60_000, ge=1_000, le=3_600_000)  # "for sales press one"
    talk_ms: int = Field(240_000, ge=5_000, le=7_200_000)  # talk that never listens: a television
    check_ms: int = Field(30_000, ge=1_000, le=300_000)  # after it was asked whether somebody is there
    quiet_ms: int = Field(45_000, ge=2_000, le=600_000)  # on hold with nothing to be heard: the caller is asked for
    music_after_ms: int = Field(12_000, ge=2_000, le=300_000)  # of sound with hardly a word in it
    listen_ms: int = Field(2_500, ge=500, le=30_000)  # so long is whoever listens silent while the agent speaks
    listens_share: float = Field(0.1, ge=0, le=1)  # ... and in all this share of the time, at least
    watch_ms: int = Field(15_000, ge=1_000, le=120_000)  # how often a sound that goes on is looked at
    lines: dict[str, str] = _lines("presence")  # "check", or by outcome


class Evidence(Section):
    """How signals add up to readiness."""

    half_life_ms: int = Field(90_000, ge=1_000, le=3_600_000)  # of a signal's weight
    ready_at_share: float = Field(0.6, ge=0, le=1)
    unready_below_share: float = Field(0.4, ge=0, le=1)  # hysteresis
    provisional_share: float = Field(0.5, ge=0, le=1)  # weight of evidence from partial words


class Concerns(Section):
    """Objections over turns."""

    topics: tuple[str, ...] = ("price", "timing", "fit", "authority", "trust", "implementation")
    answers_max: int = Field(3, ge=1, le=20)  # answers to one concern before a human or a goodbye is offered


class ActionRules(Section):
    """What one action (or saying something for one purpose) needs. Absent = not asked for."""

    readiness_share: float | None = Field(None, ge=0, le=1)
    confirmed_slots: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()  # heard, not necessarily confirmed
    no_open_concern: tuple[str, ...] = ()  # topics; "*" = any
    stages: tuple[Stage, ...] = ()  # empty = any
    # What the caller must have heard: a purpose ("offer", "notice"), a term's name ("price"), or "read_back".
    told: tuple[str, ...] = ()
    # The caller's yes within `evidence_age_ms`: true = their last clear word on it; clean = an answer to the heard
    # read-back of these very arguments, with nothing left over. What is irreversible always needs a clean one.
    consent: bool | Literal["clean"] | None = None
    unspoken: tuple[str, ...] = ()  # arguments that are read back to nobody, such as a calendar's name
    called: str = ""  # what it is called when it is spoken of: "the meeting on {time}"
    undo: str = ""  # the tool that undoes it, with the same arguments
    evidence_age_ms: int | None = Field(None, ge=100, le=600_000)  # newest supporting evidence is not older
    autonomy: Level = "act"
    autonomy_share: float = Field(1.0, ge=0, le=1)  # share of calls with that level; the others stay at "observe"
    times_max: int | None = Field(None, ge=1, le=1_000)  # per call
    cooldown_ms: int | None = Field(None, ge=0, le=600_000)
    irreversible: bool = False
    cost_cents: float = Field(0.0, ge=0)

    @property
    def yes(self) -> Literal["", "said", "clean"]:
        """Which kind of yes it needs; empty = none."""
        if self.irreversible or self.consent == "clean":
            return "clean"
        return "said" if self.consent else ""


class Gate(Section):
    """The only door."""

    actions: dict[str, ActionRules] = Field(default_factory=dict)  # by tool, "say:<purpose>", "hangup", "transfer", ...
    proposal_lifetime_ms: int = Field(4_000, ge=100, le=60_000)
    repeats_max: int = Field(3, ge=1, le=100)  # the same thing said or done in a row: the loop breaker
    autonomy_max: Level = "act"  # of tools and transfers, whatever they are given above; what is said is not touched
    budget_cents: float = Field(500.0, ge=0)  # no action may bring the call's cost above it
    minute_cents: float = Field(0.0, ge=0)  # what a minute of the call costs by itself (`offhook cost` tells); counts
    readers: tuple[str, ...] = ()  # agents that read the caller's answers, beside the core, before what is irreversible
    reader: Literal["required", "if_present"] = "if_present"  # what such an act does without a reader's word
    reading_ms: int = Field(600, ge=0, le=5_000)  # from the answer, how long a reader's word is waited for
    approval_ms: int = Field(60_000, ge=1_000, le=600_000)  # how long an operator's yes is awaited, and lasts
    owed_ms: int = Field(10_000, ge=1_000, le=120_000)  # from a free floor, how long what is owed may stay unpaid
    lines: dict[str, str] = _lines("gate")  # said where no agent says anything


class Arbitration(Section):
    """Choosing among proposals."""

    deadline_ms: int = Field(150, ge=10, le=5_000)  # agents that answer later are late for this round
    fallback_line: str = _line("arbitration.fallback_line")  # said when nobody proposes anything after a turn


class AnsweringMachine(Section):
    """Who picked up: the parameters operators know from Asterisk's AMD, same names, in ms."""

    enabled: bool = False  # of outbound calls; whoever calls in is a person
    initial_silence_ms: int = Field(2_500, ge=100, le=60_000)
    greeting_ms: int = Field(1_500, ge=100, le=60_000)
    after_greeting_silence_ms: int = Field(800, ge=100, le=60_000)
    total_analysis_time_ms: int = Field(5_000, ge=500, le=60_000)
    minimum_word_length_ms: int = Field(100, ge=10, le=5_000)
    between_words_silence_ms: int = Field(50, ge=10, le=5_000)
    maximum_number_of_words: int = Field(3, ge=1, le=100)
    maximum_word_length_ms: int = Field(5_000, ge=100, le=60_000)
    default: Literal["human", "machine"] = "human"  # at the deadline
    beep_wait_ms: int = Field(30_000, ge=1_000, le=120_000)
    human_words_silence_ms: int = Field(400, ge=50, le=5_000)  # after a short greeting of words that only people say
    correction_ms: int = Field(15_000, ge=0, le=120_000)  # how long words and beeps may correct "human"
    beep_minimum_ms: int = Field(180, ge=40, le=5_000)
    beep_purity_share: float = Field(0.93, ge=0, le=1)  # of the tone's energy in one frequency
    message_ms: int = Field(90_000, ge=1_000, le=600_000)  # how long leaving the message may take
    screenings_max: int = Field(2, ge=0, le=10)  # screeners answered in one call before giving up
    message: str = ""  # left after the beep; empty = hang up
    screening_reply: str = ""  # said to a call screener


class Escalation(Section):
    """What follows when a call fails again and again, in this order; a step that is empty is left out. The last step,
    a goodbye, is always there. The policy that leads at that moment is asked: a safe one names its own next step."""

    policy: str = ""  # a published one (its name or version) that leads the call from then on, made to be simple
    transfer_to: str = ""  # the number of a person who takes the caller
    transfer_line: str = _line("escalation.transfer_line")


class Limits(Section):
    """Deadlines of the whole call."""

    ring_ms: int = Field(30_000, ge=1_000, le=180_000)
    call_ms: int = Field(1_800_000, ge=5_000, le=86_400_000)
    warning_ms: int = Field(60_000, ge=0, le=600_000)  # spoken this long before the limit
    warning_line: str = _line("limits.warning_line")
    grace_ms: int = Field(10_000, ge=0, le=60_000)  # for the goodbye after the limit
    line_lost_ms: int = Field(10_000, ge=0, le=120_000)  # how long a lost line may come back
    transfer_ms: int = Field(45_000, ge=0, le=600_000)  # ... one that was handed over; carriers ring a number for 30 s
    unanswered_line: str = _line("limits.unanswered_line")
    goodbye_line: str = _line("limits.goodbye_line")
    # Said once when the recognizer is lost under a caller who speaks; empty = nothing.
    unheard_line: str = _line("limits.unheard_line")
    escalation: Escalation = Field(default_factory=Escalation)


class Voice(Section):
    """Speech out. Read by `actors/voice`."""

    ahead_ms: int = Field(500, ge=200, le=1_000)  # sent ahead of real time, at most; 200 less before the next batch
    mark_every_ms: int = Field(500, ge=100, le=5_000)


class Speech(Section):
    """What the speech engines are asked for. An engine that has no such language or voice refuses, and says so."""

    language: str = Field("", pattern=rf"^$|{TAG}", max_length=35)  # a BCP 47 tag; empty = the policy's own language
    voice: str = Field("", max_length=200)  # the synthesizer's own name of it; empty = the installation's
    hints: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(
        default=(), max_length=200
    )  # names and words that callers are likely to say, the likeliest first


class AgentSpec(Section):
    """One child agent: where its code is, what it listens to, its texts and options."""

    code: str  # "module:Class" of the stock, or "agents/file.py:Class" inside the bundle
    calls_per_actor: int = Field(50, ge=1, le=1_000)  # 1 = a process of its own
    memory_mb: int = Field(2_048, ge=64, le=1_000_000)  # by which its process may grow; beyond it the agent fails
    lines: dict[str, str] = Field(default_factory=dict)
    prompts: dict[str, str] = Field(default_factory=dict)  # texts; a file writes prompts/NAME.txt (or .md) for its text
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)


class Policy(Section):
    """Everything by which a call is led."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")
    agents: dict[str, AgentSpec] = Field(min_length=1)
    ears: Ears = Field(default_factory=Ears)
    barge_in: BargeIn = Field(default_factory=BargeIn)
    endpointing: Endpointing = Field(default_factory=Endpointing)
    silence: SilenceLadder = Field(default_factory=SilenceLadder)
    presence: Presence = Field(default_factory=Presence)
    evidence: Evidence = Field(default_factory=Evidence)
    concerns: Concerns = Field(default_factory=Concerns)
    gate: Gate = Field(default_factory=Gate)
    arbitration: Arbitration = Field(default_factory=Arbitration)
    answering: AnsweringMachine = Field(default_factory=AnsweringMachine)
    limits: Limits = Field(default_factory=Limits)
    voice: Voice = Field(default_factory=Voice)
    speech: Speech = Field(default_factory=Speech)
    # In which callers are understood and the core speaks, and what the speech engines are asked for: a BCP 47 tag
    # ("en", "nl-BE"). The language that is installed for its main part leads where there is none for the whole tag.
    language: str = Field(DEFAULT, pattern=TAG, max_length=35)

    @model_validator(mode="before")
    @classmethod
    def _lines_of_its_language(cls, raw: Any) -> Any:
        """Where the policy has no line of its own, the core speaks the policy's language."""
        language = raw.get("language", DEFAULT) if isinstance(raw, Mapping) else DEFAULT
        if language == DEFAULT or not isinstance(language, str):
            return raw
        try:
            lines = lines_of(language)
        except PlugInError:
            return raw  # told below, where the field has a name
        filled = dict(raw)
        for key, text in lines.items():
            place = _LINE_OF.get(key.partition(".")[0])
            if place is not None:
                _fill(filled, place, key.partition(".")[2], text)
        return filled

    @field_validator("language")
    @classmethod
    def _language_is_there(cls, language: str) -> str:
        lines_of(language)
        return language

    @field_validator("agents")
    @classmethod
    def _core_is_taken(cls, agents: dict[str, AgentSpec]) -> dict[str, AgentSpec]:
        if CORE in agents:
            raise ValueError(f"no agent can be named {CORE!r}: the call itself proposes under this name; rename it")
        return agents

    def engine_speech(self) -> Speech:
        """What the speech engines are asked for: `speech`, in the policy's language where it names none itself."""
        return self.speech if self.speech.language else self.speech.model_copy(update={"language": self.language})


def recorded_policy(plain: Any, unknown: set[str] | None = None) -> Policy:
    """A policy out of a journal or from another process, maybe of another release: see `Section.recorded`.

    Raises:
        PolicyError: it cannot be read here; each field of it that is at fault is named.
    """
    return Policy.recorded(plain, unknown)


# Where the core's lines of a language stand in a policy, by the first part of their keys.
_LINE_OF: dict[str, tuple[str, ...]] = {
    "gate": ("gate", "lines"),
    "silence": ("silence", "lines"),
    "presence": ("presence", "lines"),
    "arbitration": ("arbitration",),
    "escalation": ("limits", "escalation"),
    "limits": ("limits",),
}


def _fill(raw: dict[str, Any], path: tuple[str, ...], name: str, text: str) -> None:
    """Put `text` under `name` in the map at `path`, where it has none. What is no map is left to its own check."""
    place = raw
    for step in path:
        inner = place.get(step, {})
        if not isinstance(inner, Mapping):
            return
        place[step] = dict(inner)
        place = place[step]
    place.setdefault(name, text)


_BASE_PATIENCE_MS: dict[Stage, int] = {
    Stage.OPENING: 600,
    Stage.QUALIFYING: 700,
    Stage.OFFERING: 700,
    Stage.OBJECTING: 800,
    Stage.BOOKING: 800,
    Stage.CLOSING: 600,
}
