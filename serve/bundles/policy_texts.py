"""A bundle's prompts and clips: prompts are read into the policy, clips are looked at, so that neither fails in a call.

A prompt that is written as `prompts/NAME.txt` (or `.md`) stands for the text of that file; the policy then holds the
text, on every node, and the bundle's version follows from it. Clips are the recordings in `clips/`, named as
`actors/engines/sources.py` says.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from offhook.actors.audio.format import BYTES_PER_MS
from offhook.actors.contracts.errors import EngineAway, WrongSound
from offhook.actors.engines.sources import read_clip
from offhook.actors.node.catalog import CLIPS

from ..config.field_faults import line_of
from ..config.yaml_lines import Place

PROMPT_BYTES_MAX = 64 << 10  # of one
PROMPTS_BYTES_MAX = 256 << 10  # of all: a policy travels in one message with a call's setup
CLIP_MS_MAX = 60_000
CLIP_NAME = re.compile(r"^(default|[0-9a-f]{16})\.wav$")
_FILE = re.compile(r"^prompts/[\w./-]+\.(txt|md)$")


def inline(file: Path, raw: dict[str, Any], places: dict[Place, int]) -> list[str]:
    """Put the texts of prompt files in place of their names; what is wrong with them, with file, line and field."""
    faults: list[str] = []
    size = 0
    agents = raw.get("agents")
    for agent, spec in agents.items() if isinstance(agents, dict) else ():
        prompts = spec.get("prompts") if isinstance(spec, dict) else None
        if not isinstance(prompts, dict):
            continue
        for name, written in prompts.items():
            if not isinstance(written, str):
                continue  # the schema says what is wrong with it
            where = f"{file}:{line_of(places, ('agents', agent, 'prompts', name))}: agents.{agent}.prompts.{name}"
            text, fault = _text(file.parent, written) if _FILE.match(written) else (written, "")
            size += len(text.encode())
            if fault or len(text.encode()) > PROMPT_BYTES_MAX:
                faults.append(f"{where}: {fault or f'over {PROMPT_BYTES_MAX} bytes'}")
            prompts[name] = text
    if size > PROMPTS_BYTES_MAX:
        faults.append(f"{file}:1: the prompts have {size} bytes in all; {PROMPTS_BYTES_MAX} are allowed")
    return faults


def _text(folder: Path, name: str) -> tuple[str, str]:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        return "", f"{name!r} lies outside of the bundle"
    if not path.is_file():
        return "", f"there is no file {name!r} in the bundle"
    if path.stat().st_size > PROMPT_BYTES_MAX:
        return "", f"{name!r} has over {PROMPT_BYTES_MAX} bytes"
    try:
        return path.read_text(encoding="utf-8"), ""
    except UnicodeDecodeError as error:
        return "", f"{name!r} is not UTF-8 at byte {error.start}"


def clip_faults(folder: Path) -> list[str]:
    """What is wrong with a bundle's clips, one line each."""
    faults = []
    paths = sorted((folder / CLIPS).glob("*.wav"))
    if paths and not (folder / CLIPS / "default.wav").is_file():
        faults.append(f"{folder / CLIPS}: no default.wav; it is played for texts that have no recording of their own")
    for path in paths:
        if not CLIP_NAME.match(path.name):
            faults.append(f"{path}: a clip is named default.wav, or 16 hex digits of its text's SHA-256 and .wav")
            continue
        try:
            length_ms = len(read_clip(path)) // BYTES_PER_MS
        except (EngineAway, WrongSound) as error:
            faults.append(str(error) if str(path) in str(error) else f"{path}: {error}")
            continue
        if length_ms > CLIP_MS_MAX:
            faults.append(f"{path}: {length_ms} ms long; a clip has {CLIP_MS_MAX} at most")
    return faults
