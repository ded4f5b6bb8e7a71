"""Evidence: the append-only ledger of signals, and what they add up to (readiness, uncertainty, ready).

What the caller's words mean is `cues.py`'s matter; what an objection goes through is `concerns.py`'s. Here signals are
written down, taken back, and weighed; nothing is ever removed or overwritten.

    support = sum of the weights of what speaks for acting, each halved every `half_life_ms`; doubt, wavering alike
    readiness   = support / (support + doubt + wavering + PRIOR)
    uncertainty = (PRIOR + wavering + 2 min(support, doubt)) / (support + doubt + wavering + PRIOR)

The sums are those of subjective logic (A. Josang, "A logic for uncertain probabilities", 2001): PRIOR is the weight of
knowing nothing, so a first word moves little and no word moves all. Evidence from partial words counts with
`provisional_share`; it may make the call less ready, but never lifts readiness across the threshold: until the words
are final, readiness stays below the middle of the hysteresis unless final words alone have carried it higher.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..core.draft import Draft
from ..core.policy import Evidence
from ..core.state import Ledger, Sign, Signal
from ..core.topics import Topic

PRIOR = 0.5  # the weight of knowing nothing: one plain, final "sign me up" (0.9) just reaches the default threshold
OPEN_MAX = 64  # partial readings weighed at a time; a recognizer that never sends a final one must not slow the call

FOR, AGAINST, WAVERING = 0, 1, 2

# Which way a sign weighs, and how much of its strength. A sign that is not here says nothing about readiness.
WEIGHTS: dict[Sign, tuple[int, float]] = {
    Sign.COMMITMENT: (FOR, 1.0),
    Sign.CONFIRMATION: (FOR, 0.3),
    Sign.INTEREST: (FOR, 0.25),
    Sign.SOFTENING: (FOR, 0.25),
    Sign.DETAIL: (FOR, 0.2),  # who gives a time or a number has begun to act
    Sign.CONCERN: (AGAINST, 0.6),
    Sign.DENIAL: (AGAINST, 0.6),
    Sign.STOP: (AGAINST, 4.0),
    Sign.HUMAN: (WAVERING, 0.5),
    Sign.HESITATION: (WAVERING, 0.25),
    Sign.TONE: (WAVERING, 0.1),
}

Sums = tuple[float, float, float]  # for, against, wavering


def add(
    draft: Draft,
    sign: Sign,
    strength: float,
    *,
    source: str,
    text: str = "",
    topic: str = "",
    segment: int = -1,
    provisional: bool = False,
    refers: int = -1,
) -> Signal:
    """Write one signal down, weigh it, publish it, and outdate what was computed before it.

    `refers` names the provisional signal that this one bears out: it counts no longer, this one does. Bearing out
    outdates nothing, because nothing new was said.
    """
    state = draft.state
    ledger = state.ledger
    signal = Signal(
        id=len(ledger.signals),
        sign=sign,
        strength=min(1.0, max(0.0, strength)),
        at_ms=state.now_ms,
        revision=state.revision,
        turn=state.turn,
        source=source,
        text=text,
        topic=topic,
        segment=segment,
        provisional=provisional,
        refers=refers,
    )
    open_ids = ledger.open
    if refers >= 0:
        open_ids = tuple([id for id in open_ids if id != refers])
    if provisional:
        open_ids = (*open_ids[-(OPEN_MAX - 1) :], signal.id)
    final = not provisional
    state.ledger = _settled(
        draft,
        (*ledger.signals, signal),
        ledger.retracted | {refers} if refers >= 0 else ledger.retracted,
        open_ids,
        _weighed(draft, signal, 1.0) if final and sign in WEIGHTS else None,
        signal.id if final and sign is Sign.STOP and ledger.stopped < 0 else ledger.stopped,
    )
    if refers < 0:
        draft.evidence_changed()
    _publish(draft, signal)
    return signal


def retract(draft: Draft, signal_id: int, why: str) -> Signal:
    """Take a signal back: it stays in the ledger, a RETRACTION that refers to it is appended, and it counts no longer.

    Raises:
        IndexError: there is no such signal.
    """
    state = draft.state
    ledger = state.ledger
    taken = ledger.signals[signal_id]
    entry = Signal(
        id=len(ledger.signals),
        sign=Sign.RETRACTION,
        strength=taken.strength,
        at_ms=state.now_ms,
        revision=state.revision,
        turn=state.turn,
        source=taken.source,
        text=why,
        topic=taken.topic,
        segment=taken.segment,
        refers=signal_id,
    )
    if signal_id in ledger.retracted:
        return entry  # taken back, or borne out by another signal, before: nothing changes
    state.ledger = _settled(
        draft,
        (*ledger.signals, entry),
        ledger.retracted | {signal_id},
        tuple([id for id in ledger.open if id != signal_id]),
        _weighed(draft, taken, -1.0) if not taken.provisional and taken.sign in WEIGHTS else None,
        -1 if ledger.stopped == signal_id else ledger.stopped,
    )
    draft.evidence_changed()
    _publish(draft, entry)
    return entry


def refresh(draft: Draft) -> None:
    """Let time pass over the sums: readiness as of now. Cheap; call it before readiness is compared."""
    ledger = draft.state.ledger
    draft.state.ledger = _settled(draft, ledger.signals, ledger.retracted, ledger.open, None, ledger.stopped)


def standing(ledger: Ledger, signs: Collection[Sign] = ()) -> Iterator[Signal]:
    """The signals that count, newest first, optionally only of these signs. Lazy: ask for the next one only."""
    retracted = ledger.retracted
    for signal in reversed(ledger.signals):
        if signal.sign is not Sign.RETRACTION and signal.id not in retracted and (not signs or signal.sign in signs):
            yield signal


def first_said(ledger: Ledger, signal: Signal) -> Signal:
    """The provisional signal that this one bears out, down to the first: when it was really said."""
    while signal.refers >= 0 and signal.sign is not Sign.RETRACTION:
        signal = ledger.signals[signal.refers]
    return signal


# --- weighing -------------------------------------------------------------------------------------------------------


def _weighed(draft: Draft, signal: Signal, factor: float) -> Sums:
    """The final sums, as of now, with `signal` added (factor 1) or taken out again (factor -1).

    The sums move only by final words, so what partial readings came before a final one leaves no trace in them.
    """
    ledger, policy, now_ms = draft.state.ledger, draft.policy.evidence, draft.state.now_ms
    sums = list(_decayed((ledger.support, ledger.doubt, ledger.wavering), now_ms - ledger.weighed_ms, policy))
    side, weight = WEIGHTS[signal.sign]
    sums[side] = max(0.0, sums[side] + factor * weight * signal.strength * _decay(now_ms - signal.at_ms, policy))
    return sums[FOR], sums[AGAINST], sums[WAVERING]


def _settled(
    draft: Draft,
    signals: tuple[Signal, ...],
    retracted: frozenset[int],
    open_ids: tuple[int, ...],
    moved: Sums | None,
    stopped: int,
) -> Ledger:
    """The ledger with these signals; readiness, uncertainty and `ready` from the final sums and what is open now.

    `moved` are the final sums as of now, None where no final words moved them.
    """
    ledger, policy, now_ms = draft.state.ledger, draft.policy.evidence, draft.state.now_ms
    kept, weighed_ms = (ledger.support, ledger.doubt, ledger.wavering), ledger.weighed_ms
    if moved is not None:
        kept, weighed_ms = moved, now_ms
    support, doubt, wavering = _decayed(kept, now_ms - weighed_ms, policy)
    partial = [0.0, 0.0, 0.0]
    for id in open_ids:
        signal = signals[id]
        if signal.sign in WEIGHTS:
            side, weight = WEIGHTS[signal.sign]
            partial[side] += weight * signal.strength * _decay(now_ms - signal.at_ms, policy)
    share = policy.provisional_share
    hoped, feared, wavered = support + share * partial[FOR], doubt + share * partial[AGAINST], share * partial[WAVERING]
    against = feared + wavering + wavered + PRIOR
    borne = support / (support + against)  # by final words alone
    readiness = hoped / (hoped + against)
    if borne < policy.ready_at_share:
        middle = (policy.ready_at_share + policy.unready_below_share) / 2
        readiness = max(borne, min(readiness, middle))
    bar = policy.unready_below_share if ledger.ready else policy.ready_at_share
    return Ledger(
        signals=signals,
        retracted=retracted,
        readiness=readiness,
        uncertainty=min(1.0, (PRIOR + wavering + wavered + 2 * min(hoped, feared)) / (hoped + against)),
        ready=readiness >= bar and (ledger.ready or borne >= bar),
        support=kept[FOR],
        doubt=kept[AGAINST],
        wavering=kept[WAVERING],
        weighed_ms=weighed_ms,
        open=open_ids,
        finals=ledger.finals,
        stopped=stopped,
    )


def _decayed(sums: Sums, passed_ms: int, policy: Evidence) -> Sums:
    if passed_ms <= 0:
        return sums
    share = _decay(passed_ms, policy)
    return sums[0] * share, sums[1] * share, sums[2] * share


def _decay(passed_ms: int, policy: Evidence) -> float:
    """The share of a weight that is left after `passed_ms`."""
    return 1.0 if passed_ms <= 0 else float(2.0 ** (-passed_ms / policy.half_life_ms))


def _publish(draft: Draft, signal: Signal) -> None:
    ledger = draft.state.ledger
    draft.publish(
        Topic.SIGNAL,
        id=signal.id,
        sign=str(signal.sign),
        strength=round(signal.strength, 3),
        topic=signal.topic,
        source=signal.source,
        segment=signal.segment,
        provisional=signal.provisional,
        refers=signal.refers,
        pii_text=signal.text,
        readiness=round(ledger.readiness, 3),
        uncertainty=round(ledger.uncertainty, 3),
        ready=ledger.ready,
    )
