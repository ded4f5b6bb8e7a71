"""Who speaks Dutch there: a person, a machine, a menu, an announcement; and does the text end in a question?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from offhook.policies.language.port.port import Heard, Recording, Voice

from .words import clauses, holds, phrases, words_in, words_of

_MACHINE = phrases("""
    laat een bericht achter / laat uw bericht achter / spreek een bericht in / spreek uw bericht in / na de pieptoon /
    na de toon / na de piep / voicemail / niet bereikbaar / niet aanwezig / niet opnemen / terug te bellen /
    bellen u terug / bel u terug / bel je terug / niet in gebruik / gesloten
""")
_SURE = phrases("na de pieptoon / na de toon / na de piep / spreek een bericht in / spreek uw bericht in")
_SCREENER = phrases("noem uw naam / zeg uw naam / reden van uw gesprek / waarom u belt / kijk of deze persoon")
_HUMAN = phrases("hallo / ja / goedemorgen / goedemiddag / goedenavond / dag / hoi / met")
_LIVE_QUESTIONS = phrases("wie is dit / wie bent u / met wie spreek ik / wie is daar")
_LIVE = words_of("hallo hoi ja goedemorgen goedemiddag goedenavond met wie daar is dit uh sorry wat")
_CALLING = words_of("hallo hoi ja")
_GREETING_WORDS_MAX = 6  # a longer one may be anything
_LIVE_WORDS_MAX = 8

_MENU = phrases("""
    toets een / toets twee / toets drie / toets 1 / toets 2 / toets 3 / kies 1 / kies 2 / kies een / druk op /
    toets het nummer / in het keuzemenu / de volgende opties
""")
_ANNOUNCEMENT = phrases("""
    blijft u aan de lijn / blijf aan de lijn / al onze medewerkers / eerstvolgende medewerker / een ogenblik geduld /
    de wachttijd / in de wachtrij / bedankt voor het wachten / kan worden opgenomen / wachtenden voor u
""")

_ASKING = words_of("wie wat waar wanneer waarom hoe welke welk waarmee hoeveel")
_VERBS = words_of("kan kunt kun kunnen mag zal zou wilt wil bent is heeft heb komt spreekt spreek")
_SUBJECTS = words_of("ik u je jij we wij hij zij ze dat dit het er")
_KNOWN_SHARE = 0.6  # of the word pairs: recognizers misread some


def read(text: str) -> Heard:
    """Whose words a greeting's words so far are."""
    words = words_in(text)
    sure, machine = holds(words, _SURE), holds(words, _MACHINE)
    if holds(words, _SCREENER):
        return Heard(Voice.SCREENER, "a screener's words")
    if asks(text) and not sure:
        return Heard(Voice.PERSON, "a question")
    if sure or machine:
        return Heard(Voice.MACHINE, "a machine's words", sure)
    if holds(words, _LIVE_QUESTIONS):
        return Heard(Voice.PERSON, "a question")
    if holds(words[:1], _HUMAN) and len(words) <= _GREETING_WORDS_MAX:
        return Heard(Voice.GREETING, words[0])
    return Heard()


def live(text: str) -> str:
    """Which word only somebody says who is there; "" = none."""
    words = words_in(text)
    if len(words) > _LIVE_WORDS_MAX or not _LIVE.issuperset(words):
        return ""
    return next((word for word in words if word in _CALLING), "")


def asks(text: str) -> bool:
    """The text ends in a question to the one who listens."""
    parts = clauses(text)
    if not parts:
        return False
    last = parts[-1]
    if last.asked or (last.words[0] in _ASKING and len(last.words) > 1):
        return True
    return last.words[0] in _VERBS and len(last.words) > 1 and last.words[1] in _SUBJECTS


def recording(text: str) -> Recording:
    """Which kind of recording the words are."""
    words = words_in(text)
    if asks(text):
        return Recording.NONE
    if holds(words, _MENU):
        return Recording.MENU
    return Recording.ANNOUNCEMENT if holds(words, _ANNOUNCEMENT) else Recording.NONE


def piece(words: Sequence[str], heard: Sequence[str]) -> bool:
    """The words, however pauses cut them, are a piece of what was heard before."""
    known = f" {' | '.join(heard)} "
    pairs = list(pairwise(words))
    if not pairs:
        return all(f" {word} " in known for word in words)
    return sum(f" {one} {two} " in known for one, two in pairs) >= _KNOWN_SHARE * len(pairs)
