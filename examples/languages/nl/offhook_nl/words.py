"""The words of Dutch that the other files read with, and how a text becomes words. Data, and one function."""

from __future__ import annotations

import re
from typing import NamedTuple


class Clause(NamedTuple):
    """A stretch of words up to punctuation. `asked` = it ends with a question mark."""

    words: tuple[str, ...]
    asked: bool = False


_TOKENS = re.compile(r"\d{1,2}[:.]\d{2}\b|\d+|[^\W\d_]+(?:['’-][^\W\d_]+)*|[.?!,;:…]+")
_SAME = {
    "oké": "oke",
    "okee": "oke",
    "okay": "oke",
    "ok": "oke",
    "jaa": "ja",
    "jaja": "ja",
    "neen": "nee",
    "één": "een",
}


def clauses(text: str) -> list[Clause]:
    """Text as the recognizer gave it -> clauses of words in lower case."""
    found: list[Clause] = []
    words: list[str] = []
    for token in _TOKENS.findall(text.lower().replace("’", "'")):
        if token[0].isalnum():
            words.append(_SAME.get(token, token))
        elif words:
            found.append(Clause(tuple(words), "?" in token))
            words = []
    return [*found, Clause(tuple(words))] if words else found


def words_of(text: str) -> frozenset[str]:
    """The words of a list, apart by spaces."""
    return frozenset(text.split())


def words_in(text: str) -> tuple[str, ...]:
    """All words of a text, in lower case."""
    return tuple(word for clause in clauses(text) for word in clause.words)


def phrases(text: str) -> tuple[tuple[str, ...], ...]:
    """Phrases apart by ` / `, the longest first."""
    return tuple(
        sorted({tuple(each.split()) for each in text.split("/") if each.split()}, key=lambda it: (-len(it), it))
    )


def longest(words: tuple[str, ...], at: int, known: tuple[tuple[str, ...], ...]) -> int:
    """The length of the longest of `known` that stands at word `at`; 0 = none."""
    return next((len(each) for each in known if words[at : at + len(each)] == each), 0)


def holds(words: tuple[str, ...], known: tuple[tuple[str, ...], ...]) -> bool:
    """One of `known` stands somewhere in the words."""
    return any(longest(words, at, known) for at in range(len(words)))


# --- an answer ------------------------------------------------------------------------------------------------------

AFFIRMING = phrases("""
    ja / jawel / jazeker / zeker / goed / prima / akkoord / klopt / correct / precies / inderdaad / graag /
    natuurlijk / uiteraard / absoluut / perfect / uitstekend / oke / mooi / fijn / top / afgesproken / dat klopt /
    dat is goed / dat is prima / dat is juist / dat is correct / dat is akkoord / dat is het / is goed / is prima /
    helemaal goed / dat lijkt me goed / lijkt me goed / lijkt me prima / dat klinkt goed / klinkt goed / dat past /
    dat schikt / dat komt goed uit / komt goed uit / dat kan / doe maar / doe dat maar / boek maar / boek het maar /
    ga uw gang / ga je gang / dat doen we / wat mij betreft wel / heel graag / dat wil ik graag / ik wil het graag
""")
COURTEOUS = phrases("""
    dank u / dank je / dank u wel / dank je wel / dankuwel / dankjewel / bedankt / hartelijk dank / alstublieft /
    alsjeblieft / graag gedaan / meneer / mevrouw / hoor / dan / voor mij / heel erg / heel / erg / tot dan / dag /
    tot ziens / fijne dag / fijne dag nog / nog
""")
FILLING = words_of("uh eh ehm uhm euh hm nou ah och oh en dus zo tja")
LISTENING = words_of("ja oke hm mhm mm-hm uh-huh uh eh ah oh nou precies goed prima fijn bedankt snap begrijp ik het")
FAREWELLS = words_of("dag doei ziens tot")

CONDITIONAL = words_of(
    "als mits indien tenzij wanneer zodra zolang maar hoewel behalve afhankelijk pas eerst alleen anders of"
)
CONDITIONS = phrases("op voorwaarde / onder voorbehoud / in dat geval")
DOUBTING = words_of(
    "misschien wellicht waarschijnlijk mogelijk denk geloof hoop weet twijfel straks later ooit eens vraag kijken "
    "overleggen nadenken zou"
)
REFUSING = words_of("nee niet geen nooit fout verkeerd onjuist annuleer annuleren stop stoppen wacht vergeet")
CHANGING = words_of("liever ander andere verzet verzetten wijzig wijzigen eerder toch eigenlijk bedoel bedoelde")
TAKING_BACK = phrases("""
    annuleer / annuleren / annuleer het / maak het ongedaan / toch niet / laat maar / bij nader inzien / bedacht /
    verkeerde dag / verkeerde tijd / wil het niet / wil ik niet / niet doen / verzetten / kan toch niet
""")
KEEPING = words_of("niet laat houd hou behoud")
UNDOING = words_of("annuleer annuleren afzeggen ongedaan")

# --- talking over the agent -----------------------------------------------------------------------------------------

SAME_IN_OVERLAPS = {"oké": "oke", "okay": "oke", "ok": "oke", "jaja": "ja", "mhm": "mm-hm", "uhu": "mm-hm"}
# By hand, after what their English kin weigh: a listener's word alone claims nothing, whatever comes behind it does.
IN_OVERLAPS = {
    **dict.fromkeys(("= ja", "= mm-hm", "= hm", "= oke", "= precies", "= goed", "= ja ja", "= oh"), -3.5),
    **dict.fromkeys(("1 maar", "1 wacht", "1 stop", "1 nee", "w hoeveel", "w wat", "b ja maar"), 1.5),
}

# --- values ---------------------------------------------------------------------------------------------------------

MONEY = words_of("euro euros cent procent gratis")
DAYS = words_of("maandag dinsdag woensdag donderdag vrijdag zaterdag zondag")
RELATIVE = words_of("vandaag morgen overmorgen vanmiddag vanavond morgenochtend morgenmiddag morgenavond")
MONTHS = words_of("januari februari maart april mei juni juli augustus september oktober november december")
PARTS = {"ochtend": "ochtends", "ochtends": "ochtends", "morgens": "ochtends", "middag": "middags",
         "middags": "middags", "avond": "avonds", "avonds": "avonds"}  # fmt: skip
_UNITS = ["nul", "een", "twee", "drie", "vier", "vijf", "zes", "zeven", "acht", "negen"]
_TEENS = ["tien", "elf", "twaalf", "dertien", "veertien", "vijftien", "zestien", "zeventien", "achttien", "negentien"]
_TENS = {"twintig": 20, "dertig": 30, "veertig": 40, "vijftig": 50, "zestig": 60, "zeventig": 70, "tachtig": 80,
         "negentig": 90}  # fmt: skip
NUMBERS = {
    **{word: value for value, word in enumerate([*_UNITS, *_TEENS])},
    **_TENS,
    **{
        f"{unit}{joint}{tens}": value + ten
        for tens, ten in _TENS.items()
        for value, unit in enumerate(_UNITS)
        if value
        for joint in (("ën", "en") if unit.endswith("e") else ("en",))
    },
}
