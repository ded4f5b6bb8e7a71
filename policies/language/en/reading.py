"""Reading: what one segment's words say, given what the agent had asked. Pure: text in, cues out.

Phrases (`phrases.py`) are weighed by what stands around them: a "not" before them, a "maybe" beside them, a "but" after
them, an "if", a correction ("no, wait"), and the question that they answer. What becomes of the cues is
`evidence/cues.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from ...core.proposals import Asks, Purpose
from ...core.state import Sign
from ..port.port import NOTHING_ASKED, Asked, Cue
from . import values
from .lexicon import CONDITIONS, Says
from .phrases import Clause, clauses, phrases
from .vocabulary import CORRECTIONS, DEFERRALS, HEDGES, JOINTS, NEGATORS, SHARES, SUPPOSING, TOPIC_WORDS

READINGS_REPEATED = 8  # a final reading is mostly the last partial one again; of one call, so a few will do
NEGATION_WORDS = 5  # how far a "not" reaches forward in its clause
HEDGED = 0.7  # what is left of a strength beside a "maybe"
CONCEDED = 0.5  # ... before a "but"
SUPPOSED = 0.6  # ... after an "if"
QUERIED = 0.7  # ... under a question mark
OVERHEARD = 0.4  # ... while the agent still speaks: a listener's token more often than an answer
UNASKED = 0.6  # ... where nothing was asked: "yes" then only says "I hear you"
AMOUNT_WORDS_MAX = 6  # a longer clause is not merely an amount
COUNTER_OFFER = 0.6  # a commitment this weak is terms proposed in return
SOCIAL_WORDS_MAX = 2  # "really?", "oh yeah?": a question mark on so little asks nothing


# The lexicon's conditions that hold for an answer: (a yes or no was asked, an offer was made) -> their names.
_MET = {
    (False, False): (),
    (True, False): ("asked",),
    (False, True): ("offered",),
    (True, True): ("asked", "offered"),
}

# What a sign becomes under a "not"; None = nothing.
_NEGATED: dict[Sign, tuple[Sign, float] | None] = {
    Sign.CONCERN: (Sign.SOFTENING, 0.5),  # "that's not too expensive"
    Sign.COMMITMENT: (Sign.DENIAL, 0.7),
    Sign.CONFIRMATION: (Sign.DENIAL, 0.5),
    Sign.INTEREST: None,
    Sign.QUESTION: (Sign.QUESTION, 0.7),
}

_AGREEING = frozenset({Sign.CONFIRMATION, Sign.COMMITMENT, Sign.INTEREST, Sign.SOFTENING})
_ADVERSE = frozenset({Sign.CONCERN, Sign.DENIAL, Sign.HESITATION, Sign.STOP})
_TAKEN_BACK = frozenset({Sign.CONFIRMATION, Sign.COMMITMENT, Sign.DENIAL, Sign.DETAIL, Sign.INTEREST, Sign.SOFTENING})
_CORRECTING = frozenset(marker[0] for marker in CORRECTIONS)
_BELIEF = ("i", "do", "not")  # "I do not think": its "not" belongs to what is thought


def _met(asked: Asked) -> tuple[str, ...]:
    return _MET[asked.asks is Asks.YES_NO, asked.purpose is Purpose.OFFER]


@lru_cache(maxsize=READINGS_REPEATED)
def read(text: str, asked: Asked = NOTHING_ASKED) -> tuple[Cue, ...]:
    """The cues of one segment, at most one for each sign and topic, in the order in which they are first said."""
    parts = clauses(text)
    found: list[list[Cue]] = [_of_clause(clause, asked, at == 0) for at, clause in enumerate(parts)]
    if len(parts) > 1:
        _take_back(parts, found)
        _concede(parts, found)
    merged: dict[tuple[Sign, str], Cue] = {}
    for cue in (cue for cues in found for cue in cues):
        known = merged.get((cue.sign, cue.topic))
        if known is None or cue.strength > known.strength:
            merged[cue.sign, cue.topic] = cue
    return _agreed(merged)


# --- one clause -----------------------------------------------------------------------------------------------------


def _of_clause(clause: Clause, asked: Asked, first: bool) -> list[Cue]:
    words = clause.words
    matches = [_Said(start, end, says) for start, end, meant in phrases(words, _met(asked)) for says in meant]
    cues: list[Cue] = []
    if matches:
        cues = _weighed(clause, matches, asked)
        if first and matches[0].start == 0:
            cues = _answering(cues, matches[0], asked)
    if clause.asked and not any(cue.sign is Sign.QUESTION for cue in cues) and _asks(words, matches):
        cues = [cue._replace(strength=cue.strength * QUERIED) for cue in cues]
        cues.append(Cue(Sign.QUESTION, 0.6, _topic_of(words, ""), _joined(words)))
    if "<none>" in words:
        cues = [cue for cue in cues if cue.sign not in _AGREEING]
    elif asked.purpose is Purpose.OFFER and _is_amount(words, asked) and not any(c.sign in _DECIDED for c in cues):
        cues.append(Cue(Sign.COMMITMENT, 0.7, "", _joined(words)))
    if clause.spoken is not words or values.may_hold(words, asked.asks):
        for name, value in values.found(clause.spoken, asked.asks, asked.slot):
            cues.append(Cue(Sign.DETAIL, 0.8 if asked.slot == name else 0.5, name, value))
    return cues


_DECIDED = frozenset({Sign.COMMITMENT, Sign.DENIAL, Sign.QUESTION, Sign.CONCERN})


class _Said(NamedTuple):
    """A phrase and one of the things that it says."""

    start: int
    end: int
    says: Says


def _weighed(clause: Clause, matches: list[_Said], asked: Asked) -> list[Cue]:
    """The clause's phrases as cues: negated, hedged, supposed, put off."""
    words = clause.words
    hedged = not HEDGES.isdisjoint(words)
    deferred = not DEFERRALS.isdisjoint(words)
    supposed_from = next((at for at, word in enumerate(words) if word in SUPPOSING), len(words))
    questioned = any(match.says[0] is Sign.QUESTION for match in matches)
    cues: list[Cue] = []
    spent: set[int] = set()  # beliefs whose "not" went to what is believed
    for at, match in enumerate(matches):
        sign, strength, topic = match.says
        if sign is None:
            continue
        if sign is Sign.STOP:  # "do not call" carries its own "not"; nothing weakens it
            cues.append(Cue(sign, strength, "", _joined(words[match.start : match.end])))
            continue
        negation = _negation(words, matches, at)
        if negation is not None:
            if negation >= 0:
                spent.add(negation)
                if matches[negation].says[0] is Sign.HESITATION:
                    continue  # "not sure that is too expensive": only the doubt is left
            become = _NEGATED.get(sign)
            if become is None:
                continue
            sign, strength = become
        if sign is Sign.COMMITMENT and (match.start > supposed_from or deferred):
            sign, strength = Sign.INTEREST, strength * SUPPOSED
        elif match.start > supposed_from:
            strength *= SUPPOSED
        if hedged and sign in (Sign.COMMITMENT, Sign.CONFIRMATION):
            strength *= HEDGED
        if questioned and sign in _AGREEING and match.says[1] > COUNTER_OFFER:
            continue  # "when would I sign up": asked, not said
        if sign is Sign.CONCERN:
            topic = topic or _topic_of(words, asked.topic or ("price" if asked.purpose is Purpose.OFFER else "fit"))
        elif sign is Sign.QUESTION:
            if topic == "eager":
                cues.append(Cue(Sign.INTEREST, strength, "", _joined(words[match.start : match.end])))
            topic = _topic_of(words, "")
        elif sign is not Sign.SOFTENING:
            topic = ""
        cues.append(Cue(sign, strength, topic, _joined(words[match.start : match.end])))
    if spent:
        beliefs = {_joined(words[m.start : m.end]) for n in spent if (m := matches[n]).says[0] is Sign.CONCERN}
        cues = [cue for cue in cues if cue.sign is not Sign.CONCERN or cue.text not in beliefs]
    return cues


def _negation(words: tuple[str, ...], matches: list[_Said], at: int) -> int | None:
    """Whether a "not" reaches the phrase `at`: -1 = a free one, n = the one in phrase n (a doubt, a belief)."""
    start = matches[at].start
    for n in range(at - 1, -1, -1):
        match = matches[n]
        if match.start == start or match.says[2] in CONDITIONS:
            continue  # another meaning of the same words, or no more than the form of an answer
        if start - match.end > NEGATION_WORDS:
            break
        inner = words[match.start : match.end]
        if (
            match.says[0] is Sign.HESITATION
            and "not" in inner
            and match.end < start + 1
            and not _restarts(words, match.end, start)
        ):
            return n
        if inner[:3] == _BELIEF and inner[3:4] in (("think",), ("believe",), ("feel",)):
            return n
        break  # another phrase stands between
    left = max((m.end for m in matches[:at] if m.end <= start and m.says[2] not in CONDITIONS), default=0)
    for k in range(start - 1, max(left, start - NEGATION_WORDS) - 1, -1):
        if words[k] in JOINTS:
            return None
        if words[k] in NEGATORS:
            return -1
    return None


def _restarts(words: tuple[str, ...], end: int, start: int) -> bool:
    """ "I don't know | it is too expensive": the doubt stands alone where a new subject follows directly."""
    return end < start and words[end] in ("i", "we", "but", "because", "so", "it") and words[end - 1] == "know"


def _answering(cues: list[Cue], lead: _Said, asked: Asked) -> list[Cue]:
    """Weigh the yes or no with which a segment begins by what was asked."""
    if not cues or cues[0].sign not in (Sign.CONFIRMATION, Sign.DENIAL):
        return cues
    head, rest = cues[0], cues[1:]
    if asked.overheard:
        head = head._replace(strength=head.strength * OVERHEARD)
    elif asked.asks is Asks.NOTHING:
        head = head._replace(strength=head.strength * UNASKED)
    elif head.sign is Sign.CONFIRMATION:
        if asked.asks is Asks.YES_NO:
            head = head._replace(strength=max(head.strength, 0.7))
        if asked.purpose is Purpose.OFFER:  # yes to an offer is more than yes
            rest = [Cue(Sign.COMMITMENT, lead.says[1] - 0.05, "", head.text), *rest]
    return [head, *rest]


def _asks(words: tuple[str, ...], matches: list[_Said]) -> bool:
    for match in matches:
        sign, strength, note = match.says
        if note == "exception" or (sign is Sign.COMMITMENT and strength <= COUNTER_OFFER):
            return False  # "how are you?", "how about ten?"
    return len(words) > SOCIAL_WORDS_MAX


def _is_amount(words: tuple[str, ...], asked: Asked) -> bool:
    """True for a clause that is hardly more than an amount: "maybe 50 cents", "half of it", "$25"."""
    if not 0 < len(words) <= AMOUNT_WORDS_MAX or not NEGATORS.isdisjoint(words):
        return False
    if "<amount>" in words or not SHARES.isdisjoint(words):
        return True
    if any(word in ("dollars", "cents", "percent") for word in words):
        return True
    return asked.asks is not Asks.YES_NO and words[0] == "<number>"


def _topic_of(words: tuple[str, ...], otherwise: str) -> str:
    for word in words:
        topic = TOPIC_WORDS.get(word)
        if topic is not None:
            return topic
    return otherwise


def _joined(words: tuple[str, ...]) -> str:
    return " ".join(words)


# --- clause against clause --------------------------------------------------------------------------------------------


def _take_back(parts: Sequence[Clause], found: list[list[Cue]]) -> None:
    """ "Yes... no, wait": what was said before a correction does not count; a yes without a successor is a doubt.

    Where nothing follows it and nothing was agreed to, it corrects no refusal: "no, no wait" refuses twice.
    """
    for at, clause in enumerate(parts):
        if not at or not clause.words or clause.words[0] not in _CORRECTING:
            continue
        following = clause.words + (parts[at + 1].words if at + 1 < len(parts) else ())
        marker = next((marker for marker in CORRECTIONS if following[: len(marker)] == marker), None)
        if marker is None:
            continue
        agreed = any(cue.sign in _AGREEING for cues in found[:at] for cue in cues)
        corrected = agreed or len(following) > len(marker)
        taken_back = _TAKEN_BACK if corrected else _TAKEN_BACK - {Sign.DENIAL}
        for earlier in range(at):
            found[earlier] = [cue for cue in found[earlier] if cue.sign not in taken_back]
        if not corrected:
            continue
        found[at] = [cue for cue in found[at] if cue.sign not in (Sign.DENIAL, Sign.WAIT)]
        if at + 1 < len(parts):
            found[at + 1] = [cue for cue in found[at + 1] if cue.sign is not Sign.WAIT]
        if agreed and not any(cue.sign in _TAKEN_BACK for cues in found[at:] for cue in cues):
            found[at] += (
                Cue(Sign.DENIAL, 0.5, "", _joined(clause.words)),
                Cue(Sign.HESITATION, 0.6, "", _joined(clause.words)),
            )


def _concede(parts: Sequence[Clause], found: list[list[Cue]]) -> None:
    """ "That makes sense, but ...": what comes before a "but" agrees to nothing; a bare "but" announces a worry."""
    turns = [at for at, clause in enumerate(parts) if clause.turned]
    if not turns or not any(found[: turns[0]]):
        return
    first = turns[0]
    after = [cue.sign for cues in found[first:] for cue in cues]
    unsaid = not any(clause.words for clause in parts[first:])
    if unsaid:
        found[first].append(Cue(Sign.HESITATION, 0.6, "", "but"))
    adverse = unsaid or any(sign in _ADVERSE for sign in after)
    agreeing = any(sign in (Sign.COMMITMENT, Sign.INTEREST, Sign.CONFIRMATION) for sign in after)
    for at in range(first):
        found[at] = [kept for cue in found[at] if (kept := _conceded(cue, adverse, agreeing)) is not None]


def _conceded(cue: Cue, adverse: bool, agreeing: bool) -> Cue | None:
    if cue.sign is Sign.COMMITMENT and adverse:
        return cue._replace(sign=Sign.INTEREST, strength=cue.strength * CONCEDED)
    if cue.sign in (Sign.CONFIRMATION, Sign.INTEREST) and not agreeing:
        return None if adverse else cue._replace(strength=cue.strength * CONCEDED)
    if cue.sign in (Sign.CONCERN, Sign.DENIAL) and agreeing and not adverse:
        return cue._replace(strength=cue.strength * CONCEDED)
    return cue


def _agreed(merged: dict[tuple[Sign, str], Cue]) -> tuple[Cue, ...]:
    """Settle what contradicts itself within one breath: "No, I can do it" agrees, whatever was asked."""
    signs = {sign for sign, _ in merged}
    denial = merged.get((Sign.DENIAL, ""))
    if denial is not None and denial.text == "no" and Sign.COMMITMENT in signs and Sign.CONCERN not in signs:
        del merged[Sign.DENIAL, ""]
    elif denial is not None and denial.text != "no":
        merged = {
            key: cue for key, cue in merged.items() if cue.sign is not Sign.COMMITMENT or cue.strength > denial.strength
        }
    return tuple(merged.values())
