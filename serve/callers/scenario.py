"""Scripts of scripted callers: what a step may say, and reading it from YAML with line numbers. Nothing dials here.

A script is what a person on the phone does: it waits for what it hears, not for the clock.

    caller: Dana
    about: interrupts on price in mid-sentence
    steps:
      - listen: {says: "help|calling"}            # the agent has spoken, then been silent for 600 ms
      - say: dana/hello.wav
      - interrupt: {clip: dana/too-expensive.wav, says: "dollars", after_ms: 900}
      - expect: {agent_stops_within_ms: 1500}
      - hang_up: true

A clip is a WAV file (8000 Hz, 16 bit, mono) that lies beside the script, or in `../audio` from there; `audio: FOLDER`
names another folder, from the script's own on.

`says` is a regular expression, matched against what the agent is saying; it needs captions (the call's journal),
because a script has no ears for words, and so does `expect` of an act. Everything else goes by sound alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from offhook.actors.audio.format import TELEPHONE, whole_frames
from offhook.actors.contracts.errors import WrongSound
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..config import yaml_lines
from ..config.field_faults import unknown
from ..config.yaml_lines import Place
from ..contracts.errors import ScriptFault
from ..engines import sound

SCRIPT_BYTES_MAX = 64 << 10
STEPS_MAX = 200
AUDIO = (".", "../audio")  # where clips are looked for, from the script's own folder
CLIP_MS_MAX = 120_000
WITHIN_S = 30.0  # how long a step waits for what it waits for, unless it says otherwise


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


Pattern = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_pattern)]
Clip = Annotated[str, Field(min_length=1, max_length=200)]
Act = Annotated[str, Field(min_length=1, max_length=64)]  # a tool's name
Within = Annotated[float, Field(gt=0, le=300)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Say(_Part):
    """Say a clip; the step is over when it is said."""

    clip: Clip


class Listen(_Part):
    """Let the agent speak (about `says`) until it has been silent for `silent_for_ms`."""

    silent_for_ms: int = Field(600, ge=20, le=60_000)
    says: Pattern | None = None
    within_s: Within = WITHIN_S


class WaitUntil(_Part):
    """Wait for one thing: the agent's sound, its silence, or the beginning of an utterance about something."""

    agent_speaks: bool | None = None
    agent_silent_for_ms: int | None = Field(None, ge=20, le=120_000)
    agent_says: Pattern | None = None
    within_s: Within = WITHIN_S

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"agent_speaks": True} if value == "agent_speaks" else value

    @model_validator(mode="after")
    def _one(self) -> WaitUntil:
        if sum(x is not None for x in (self.agent_speaks, self.agent_silent_for_ms, self.agent_says)) != 1:
            raise ValueError("name one of agent_speaks, agent_silent_for_ms, agent_says")
        return self


class Over(_Part):
    """A clip into the agent's speech, once that has gone on for `after_ms` (of an utterance about `says`)."""

    clip: Clip
    after_ms: int = Field(1_000, ge=0, le=120_000)
    says: Pattern | None = None
    within_s: Within = WITHIN_S


class Answer(_Part):
    """What the caller says when the agent has said this."""

    says: Pattern
    clip: Clip


class Converse(_Part):
    """Answer the agent by the script's `answers`, each time it has been silent for `silent_for_ms`, until it says
    `until` (and that has been heard out)."""

    until: Pattern
    silent_for_ms: int = Field(700, ge=20, le=60_000)
    turns_max: int = Field(12, ge=1, le=100)
    within_s: Within = WITHIN_S  # of each turn


class Expect(_Part):
    """What must be true, counted from the beginning of what the caller said last; of an act: now, or soon."""

    agent_stops_within_ms: int | None = Field(None, ge=20, le=60_000)
    agent_speaks_within_ms: int | None = Field(None, ge=20, le=120_000)  # after it: an answer, or it goes on
    done: Act | None = None  # a tool has done this, or does it within WITHIN_S
    not_done: Act | None = None  # no tool was told to do this so far, or it was taken back before any began

    @model_validator(mode="after")
    def _one(self) -> Expect:
        if sum(x is not None for x in self.__dict__.values()) != 1:
            raise ValueError(f"name one of {', '.join(type(self).model_fields)}")
        return self


@dataclass(frozen=True, slots=True)
class Step:
    """One step, with the line of the file that it stands on."""

    line: int
    kind: str
    part: Say | Listen | WaitUntil | Over | Converse | Expect | None = None
    pause_ms: int = 0
    digits: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """A caller, ready to call. `clips` holds the mu-law sound of every clip that the steps name."""

    name: str
    path: str
    caller: str
    about: str
    direction: Literal["inbound", "outbound"]
    policy: str
    number: str
    stay_s: float  # how long the caller stays on the line after the last step
    answers: tuple[Answer, ...]  # the first that matches is given
    steps: tuple[Step, ...]
    clips: dict[str, bytes] = field(repr=False, default_factory=dict)

    @property
    def needs_captions(self) -> bool:
        """True when a step waits for words or looks for acts."""
        names = ("says", "agent_says", "until", "done", "not_done")
        return any(getattr(step.part, name, None) for step in self.steps for name in names)


class _Head(_Part):
    caller: str = Field(min_length=1, max_length=60)
    about: str = Field("", max_length=200)
    direction: Literal["inbound", "outbound"] = "inbound"
    policy: str = Field("", max_length=64)
    number: str = Field("+15550100", max_length=40)
    audio: str = Field("", max_length=200)  # where its clips are, from its own folder; "" = AUDIO
    stay_s: float = Field(20.0, ge=0, le=600)
    answers: list[Answer] = Field(default_factory=list, max_length=100)
    steps: list[Any] = Field(min_length=1, max_length=STEPS_MAX)


_CLIP_ALONE = frozenset({"say", "interrupt", "backchannel", "cough"})
_PARTS: dict[str, type[_Part]] = {
    "say": Say,
    "listen": Listen,
    "wait_until": WaitUntil,
    "interrupt": Over,
    "backchannel": Over,
    "cough": Over,
    "converse": Converse,
    "expect": Expect,
}
_KINDS = (*_PARTS, "pause_ms", "dtmf", "hang_up")


def load(path: Path) -> Script:
    """Read a script and its clips.

    Raises:
        ScriptFault: it cannot be used; every line of the message names file, line, field, and what is allowed.
    """
    try:
        text = path.read_bytes()[: SCRIPT_BYTES_MAX + 1].decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ScriptFault(f"{path}: cannot be read: {reason}") from error
    if len(text.encode()) > SCRIPT_BYTES_MAX:
        raise ScriptFault(f"{path}: over {SCRIPT_BYTES_MAX} bytes")
    return _Reader(path, text).script()


class _Reader:
    """One file being read: the values, the line of each, and the faults found so far."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.faults: list[str] = []
        try:
            self.value, self.lines = yaml_lines.read(text)
        except yaml_lines.YamlFault as fault:
            raise ScriptFault(f"{path}:{fault.line}: {fault.reason}") from fault
        if not isinstance(self.value, dict):
            raise ScriptFault(f"{path}:1: a script is a mapping with caller and steps")

    def script(self) -> Script:
        head = self._model(_Head, self.value, ())
        steps = tuple(self._step(value, index) for index, value in enumerate(head.steps)) if head else ()
        clips = self._clips(head, steps) if head else {}
        if self.faults or head is None:
            raise ScriptFault("\n".join(self.faults))
        fields = head.model_dump(exclude={"answers", "steps", "audio"})
        return Script(
            name=self.path.stem, path=str(self.path), answers=tuple(head.answers), steps=steps, clips=clips, **fields
        )

    def fault(self, where: Place, said: str) -> None:
        shown = ".".join(str(part) for part in where)
        self.faults.append(f"{self.path}:{self.line(where)}: {shown + ': ' if shown else ''}{said}")

    def line(self, where: Place) -> int:
        while where not in self.lines and where:
            where = where[:-1]
        return self.lines.get(where, 1)

    def _model(self, kind: type[_Part], value: Any, where: Place) -> Any:
        try:
            return kind.model_validate(value)
        except ValidationError as error:
            for found in error.errors():
                said = found["msg"].removeprefix("Value error, ")
                if found["type"] == "extra_forbidden":
                    said = unknown(str(found["loc"][-1]), kind.model_fields)
                elif found["type"] == "missing":
                    said = "missing"
                self.fault((*where, *found["loc"]), said)
            return None

    def _step(self, value: Any, index: int) -> Step:
        where: Place = ("steps", index)
        step = Step(self.line(where), "")
        if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in _KINDS:
            written = str(next(iter(value))) if isinstance(value, dict) and len(value) == 1 else ""
            near = get_close_matches(written, _KINDS, 1, 0.6)
            hint = f"did you mean {near[0]!r}? " if near else ""
            self.fault(where, f"{hint}a step is one of {', '.join(_KINDS)}, with a colon")
            return step
        kind, body = next(iter(value.items()))
        where = (*where, kind)
        if kind == "pause_ms":
            if type(body) is not int or not 0 <= body <= 300_000:
                self.fault(where, "a whole number of milliseconds, 0 to 300000")
                return step
            return Step(step.line, kind, pause_ms=body)
        if kind == "dtmf":
            if not isinstance(body, str) or not re.fullmatch(r"[0-9*#A-D]{1,40}", body):
                self.fault(where, 'a text of 1 to 40 of the digits 0-9 * # A-D, in quotes ("1")')
                return step
            return Step(step.line, kind, digits=body)
        if kind == "hang_up":
            if body is not True:
                self.fault(where, "true is the only value")
            return Step(step.line, kind)
        if isinstance(body, str) and kind in _CLIP_ALONE:
            body = {"clip": body}
        elif body is None and kind == "listen":
            body = {}
        return Step(step.line, kind, self._model(_PARTS[kind], body, where))

    def _clips(self, head: _Head, steps: tuple[Step, ...]) -> dict[str, bytes]:
        roots = [(self.path.parent / folder).resolve() for folder in ((head.audio,) if head.audio else AUDIO)]
        named: list[tuple[Place, str]] = [
            (("answers", index, "clip"), answer.clip) for index, answer in enumerate(head.answers)
        ]
        named += [
            (("steps", index, step.kind, "clip"), getattr(step.part, "clip", "")) for index, step in enumerate(steps)
        ]
        clips: dict[str, bytes] = {}
        for where, name in named:
            if name and name not in clips:
                try:
                    clips[name] = _clip(roots, name)
                except ValueError as error:
                    self.fault(where, str(error))
        return clips


def _clip(roots: list[Path], name: str) -> bytes:
    """A clip's sound, from the first of these folders that has it."""
    places = [(root / name).resolve() for root in roots]
    inside = [place for place, root in zip(places, roots, strict=True) if place.is_relative_to(root)]
    if not inside:
        raise ValueError(f"{name} lies outside {' and '.join(map(str, roots))}")
    file = next((place for place in inside if place.is_file()), inside[-1])
    if not file.is_file() and len(inside) > 1:
        raise ValueError(f"there is no audio file {' nor '.join(map(str, inside))}; or write: audio: FOLDER")
    try:
        coded = whole_frames(sound.read_wav(file))
    except OSError as error:
        raise ValueError(f"audio file {file} cannot be read: {error.strerror}") from error
    except WrongSound as fault:
        raise ValueError(f"audio file {file}: {fault}") from fault
    if len(coded) > TELEPHONE.bytes_of(CLIP_MS_MAX):
        raise ValueError(f"audio file {file} is longer than {CLIP_MS_MAX} ms")
    return coded
