"""piper as a synthesizer engine: which voice, how many programs."""

from __future__ import annotations

from pathlib import Path

from ...config.plug_ins import Options, check_options
from ...contracts.errors import SettingFault
from ..phrases.engine import PhraseSynthesizer
from .program import PiperProgram
from .voice_file import language, stock_voice

PROGRAMS_MAX = 64


def make(options: Options) -> PhraseSynthesizer:
    """The engine of the entry point `piper`.

    Options: `voice`, a piper voice file (empty = the installed one); `programs`, how many phrases are made at the same
    time (1).
    """
    check_options("piper", options, ("voice", "programs"))
    programs = options.get("programs", "1")
    if not programs.isdecimal() or not 1 <= int(programs) <= PROGRAMS_MAX:
        raise SettingFault(f"piper: programs {programs!r} is not a number from 1 to {PROGRAMS_MAX}")
    voice = Path(options["voice"]) if options.get("voice") else stock_voice()
    spoken = language(voice)
    return PhraseSynthesizer(
        "piper", lambda: PiperProgram(voice), int(programs), (voice.stem,), (spoken,) if spoken else ()
    )
