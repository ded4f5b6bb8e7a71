"""What one segment of Dutch says: phrases, and what a "niet", an "als" or a "misschien" beside them makes of it."""

from __future__ import annotations

from offhook.policies.language.port.port import NOTHING_ASKED, Asked, Asks, Cue, Purpose, Sign

from . import greetings, values
from .words import CONDITIONAL, DOUBTING, FILLING, MONEY, Clause, clauses, longest, phrases

HEDGED, OVERHEARD, UNASKED = 0.6, 0.4, 0.6  # what is left of a strength

PHRASES = {
    (Sign.STOP, 1.0, ""): "bel me niet meer / bel niet meer / niet meer bellen / haal me van de lijst",
    (Sign.HUMAN, 0.95, ""): "een medewerker / een mens / een echt persoon / iemand spreken / verbind me door",
    (Sign.WAIT, 0.9, ""): "wacht / wacht even / een moment / een momentje / ogenblik / een ogenblik / blijf hangen",
    (Sign.GOODBYE, 0.8, ""): "doei / tot ziens / tot horens / dag hoor / fijne dag / ik moet ophangen",
    (Sign.COMMITMENT, 0.9, ""): """
        doe maar / boek maar / boek het maar / ik doe het / ik neem het / dat doen we / laten we dat doen /
        ik wil een afspraak / ik wil graag een afspraak / meld me aan / ga uw gang
    """,
    (Sign.INTEREST, 0.7, ""): "klinkt goed / klinkt interessant / interessant / vertel maar / ik wil graag weten",
    (Sign.CONFIRMATION, 0.8, ""): """
        ja / jazeker / jawel / zeker / prima / akkoord / klopt / dat klopt / precies / inderdaad / graag / natuurlijk /
        dat is goed / is goed / uiteraard / absoluut / correct
    """,
    (Sign.CONFIRMATION, 0.55, ""): "oke / goed / ik begrijp het / ik snap het / mm-hm",
    (Sign.SOFTENING, 0.6, ""): "daar zit wat in / dat valt mee / daar heeft u gelijk in / dat helpt",
    (Sign.DENIAL, 0.85, ""): "nee / nee dank u / nee bedankt / geen interesse / niet nodig / laat maar / liever niet",
    (Sign.HESITATION, 0.6, ""): """
        misschien / ik weet het niet / weet niet / ik twijfel / erover nadenken / even overleggen / ik moet overleggen
    """,
    (Sign.CONCERN, 0.8, "price"): "te duur / duur / kost te veel / te veel geld / geen geld / geen budget",
    (Sign.CONCERN, 0.75, "timing"): "geen tijd / te druk / komt niet uit / nu even niet / slecht moment",
    (Sign.CONCERN, 0.75, "authority"): "mijn vrouw / mijn man / mijn baas / mijn partner",
    (Sign.CONCERN, 0.75, "trust"): "oplichting / oplichters / vertrouw het niet / is dit echt",
}  # fmt: skip
_KNOWN = {phrase: says for says, block in PHRASES.items() for phrase in phrases(block)}
_PHRASES = tuple(sorted(_KNOWN, key=lambda phrase: (-len(phrase), phrase)))
_TOPICS = {"kost": "price", "kosten": "price", "prijs": "price", "duur": "price", "wanneer": "timing", "lang": "timing"}
_AGREEING = frozenset({Sign.CONFIRMATION, Sign.COMMITMENT, Sign.INTEREST})


def read(text: str, asked: Asked = NOTHING_ASKED) -> tuple[Cue, ...]:
    """The cues of one segment, at most one for each sign and topic."""
    merged: dict[tuple[Sign, str], Cue] = {}
    parts = clauses(text)
    conditional = any(not CONDITIONAL.isdisjoint(clause.words) for clause in parts)
    for number, clause in enumerate(parts):
        for cue in _of_clause(clause, asked, first=number == 0, conditional=conditional):
            known = merged.get((cue.sign, cue.topic))
            if known is None or cue.strength > known.strength:
                merged[cue.sign, cue.topic] = cue
    return tuple(merged.values())


def _of_clause(clause: Clause, asked: Asked, *, first: bool, conditional: bool) -> list[Cue]:
    words = clause.words
    hedged = conditional or not DOUBTING.isdisjoint(words)
    cues: list[Cue] = []
    at = 0
    while at < len(words):
        length = longest(words, at, _PHRASES)
        if length:
            sign, strength, topic = _KNOWN[words[at : at + length]]
            text = " ".join(words[at : at + length])
            cues += _weighed(Cue(sign, strength, topic, text), asked, negated="niet" in words[:at], hedged=hedged)
            lead = not set(words[:at]) - FILLING
            if first and lead and sign is Sign.CONFIRMATION and asked.purpose is Purpose.OFFER and not hedged:
                cues.append(Cue(Sign.COMMITMENT, 0.75, "", text))  # yes to an offer is more than yes
        at += length or 1
    if clause.asked or greetings.asks(" ".join(words)):
        topic = next((_TOPICS[word] for word in words if word in _TOPICS), "")
        cues = [cue for cue in cues if cue.sign not in _AGREEING]
        cues.append(Cue(Sign.QUESTION, 0.6, topic, " ".join(words)))
    elif asked.purpose is Purpose.OFFER and not MONEY.isdisjoint(words) and "niet" not in words and not hedged:
        cues.append(Cue(Sign.COMMITMENT, 0.6, "", " ".join(words)))
    for name, value in values.found(words, asked.asks, asked.slot):
        cues.append(Cue(Sign.DETAIL, 0.8 if asked.slot == name else 0.5, name, value))
    return cues


def _weighed(cue: Cue, asked: Asked, *, negated: bool, hedged: bool) -> list[Cue]:
    if cue.sign in _AGREEING and negated:
        return [Cue(Sign.DENIAL, 0.6, "", cue.text)]
    if cue.sign is Sign.CONCERN and negated:
        return [Cue(Sign.SOFTENING, 0.5, cue.topic, cue.text)]
    if cue.sign is Sign.COMMITMENT and hedged:
        return [Cue(Sign.INTEREST, cue.strength * HEDGED, "", cue.text)]
    if cue.sign in (Sign.CONFIRMATION, Sign.DENIAL):
        left = OVERHEARD if asked.overheard else UNASKED if asked.asks is Asks.NOTHING else 1.0
        return [cue._replace(strength=cue.strength * left * (HEDGED if hedged else 1.0))]
    return [cue]
