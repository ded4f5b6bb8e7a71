"""Which speech engines a call uses: made from its `Engines`, in one place. No engine code here.

An engine that cannot even be made (a folder of clips that is not there) costs the call that part, not the call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from offhook.policies.core.errors import CallerFault, OffhookError
from offhook.policies.core.events import Event, HealthChanged
from offhook.policies.core.policy import Speech

from ..contracts.setup import Engines, Setup
from ..process.clock import Clock
from .port import RecognitionOptions, Recognizer, SynthesisOptions, Synthesizer
from .recognition import NoRecognizer, RecognitionClient
from .sources import ClipSource, ToneSource
from .synthesis import PART, NoSynthesizer, SynthesisClient

log = logging.getLogger(__name__)

Emit = Callable[[Event], None]

RECOGNIZERS = ("none", "link")
SYNTHESIZERS = ("none", "tone", "clip", "link")


def check(engines: Engines) -> None:
    """Raises:
    CallerFault: a kind that does not exist.
    """
    for part, kind, kinds in (
        ("recognizer", engines.recognizer, RECOGNIZERS),
        ("synthesizer", engines.synthesizer, SYNTHESIZERS),
    ):
        if kind not in kinds:
            raise CallerFault(f"{part} {kind!r}: allowed are {', '.join(kinds)}")


def make_recognizer(setup: Setup, speech: Speech, emit: Emit, clock: Clock) -> Recognizer:
    """The ears' reader of words, as the policy wants it."""
    engines = setup.engines
    if engines.recognizer == "link":
        options = RecognitionOptions.of(speech, setup.tenant)
        return RecognitionClient(engines.recognizer_endpoints, emit, clock, setup.call, options)
    return NoRecognizer(emit, clock)


def make_synthesizer(setup: Setup, speech: Speech, emit: Emit, clock: Clock) -> Synthesizer:
    """The voice's maker of sound, as the policy wants it."""
    engines = setup.engines
    try:
        match engines.synthesizer:
            case "link":
                fallback = ClipSource(engines.clips) if engines.clips else None
                options = SynthesisOptions.of(speech, setup.tenant, engines.voice)
                return SynthesisClient(engines.synthesizer_endpoints, emit, clock, options, fallback)
            case "clip":
                return ClipSource(engines.clips)
            case "tone":
                return ToneSource()
    except OffhookError as fault:
        log.error("no synthesizer: %s", fault)
    emit(HealthChanged(clock.now_ms(), PART, False))
    return NoSynthesizer()


def lead_by(recognizer: Recognizer, synthesizer: Synthesizer, setup: Setup, speech: Speech) -> None:
    """Another policy leads the call: its language, voice and hints from now on."""
    recognizer.read_by(RecognitionOptions.of(speech, setup.tenant))
    synthesizer.speak_by(SynthesisOptions.of(speech, setup.tenant, setup.engines.voice))


def redirect(
    recognizer: Recognizer,
    synthesizer: Synthesizer,
    recognizer_endpoints: Iterable[Sequence[str]],
    synthesizer_endpoints: Iterable[Sequence[str]],
) -> None:
    """Engines have come, gone or moved while the call talks; a call without engines has nothing to dial."""
    if isinstance(recognizer, RecognitionClient):
        recognizer.redirect([(endpoint, token) for endpoint, token in recognizer_endpoints])
    if isinstance(synthesizer, SynthesisClient):
        synthesizer.redirect([(endpoint, token) for endpoint, token in synthesizer_endpoints])


def clips_of(synthesizer: Synthesizer) -> ClipSource | None:
    """The recordings that a voice speaks with, or falls back to."""
    found = synthesizer.fallback if isinstance(synthesizer, SynthesisClient) else synthesizer
    return found if isinstance(found, ClipSource) else None
