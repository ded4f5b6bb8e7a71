"""Text from outside, made what it is used as: words to be spoken (`sayable`), or one line to be shown (`on_one_line`).

A model writes for a screen: marks, bullets, links, emoji. A voice would read them out, or stumble. What carries no
words is taken out, a link says its words, an address its host's name; what cannot be said at all (a table, code) is
refused. How words and numbers are pronounced ("+1 415 555 0123", "$1,299.00", "3:30pm") is the speech engine's matter,
and they come out as they went in; so does every text without marks, byte for byte.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable

from .errors import CallerFault

TEXT_CHARS_MAX = 4_000  # of one utterance: over four minutes of speech
RUN_CHARS_MAX = 60  # without a space: no word is as long, a key or encoded bytes are
HOST_CHARS_MAX = 60  # of an address that is said
PASSES_MAX = 4  # marks within marks are taken out one layer at a time; more layers are no words

_BARS_MAX = 5  # "|" in one text; a table has more
_SPOKEN_SYMBOLS = frozenset("°№℃℉´")  # of the categories that are taken out
_ENDS = ".,;:!?…。、！？"  # a line that ends so needs no pause put in


class Unsayable(CallerFault):
    """Text that cannot be spoken: what is required, and what was found."""

    def __init__(self, required: str, actual: str) -> None:
        super().__init__(required, actual)
        self.required = required
        self.actual = actual


def sayable(text: str) -> str:
    """The words of `text`, to be spoken; doing it twice changes nothing more.

    Raises:
        Unsayable: nothing is left to say, or it is a table, code, an address without a name, or too long.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise Unsayable(f"at most {TEXT_CHARS_MAX} characters", f"{len(text)} characters")
    for _ in range(PASSES_MAX):
        words = text if _is_plain(text) else _cleaned(text)
        if words == text:
            break
        text = words
    else:
        raise Unsayable("words", "marks within marks")
    if not _WORD.search(text):
        raise Unsayable("words", "no letter and no digit")
    if _runs_on(text):
        raise Unsayable("words", f"over {RUN_CHARS_MAX} characters without a space")
    return text


def _runs_on(text: str) -> bool:
    """Somewhere no space comes for RUN_CHARS_MAX characters, of those that words of some scripts are not made of."""
    at = 0
    while len(text) - at > RUN_CHARS_MAX:
        space = text.rfind(" ", at, at + RUN_CHARS_MAX + 1)
        if space < 0:
            return _RUN.search(text, at) is not None
        at = space + 1
    return False


def on_one_line(text: str, chars_max: int) -> str:
    """At most `chars_max` printable characters of a text, on one line."""
    if len(text) <= chars_max and text.isprintable():
        return text
    begun = text[: 4 * chars_max]  # what is dropped at most costs no more than what is kept
    return " ".join("".join(map(_shown, begun)).split())[:chars_max]


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    return " " if unicodedata.category(char) in ("Cc", "Zs", "Zl", "Zp") else ""


def _is_plain(text: str) -> bool:
    """Nothing in it can be a mark: so it is with nearly every text, and told within a microsecond or two."""
    odd = _ODD_ASCII if text.isascii() else _ODD
    if odd.search(text) or "_" in text or text.lstrip()[:1] in ("-", "+"):
        return False
    suspicious = ":" in text or ";" in text or "/" in text or "&" in text or "ww." in text or "WW." in text
    return not (suspicious and _HIDDEN.search(text))


_KNOWN_ENDS = "ai|app|biz|ca|co|com|de|dev|edu|eu|example|fr|gov|info|io|net|org|uk|us"  # of names of hosts
_ODD = re.compile(r"[^\w .,?!'\"$%()+@=:;/&’‘“”«»–—…¿¡€£°-]")
_ODD_ASCII = re.compile(r"[^A-Za-z0-9_ .,?!'\"$%()+@=:;/&-]")  # the same, told twice as fast
_HIDDEN = re.compile(
    rf"://|[Ww]{{3}}\.|\.(?:{_KNOWN_ENDS})/|&[#A-Za-z]\w*;|(?:[Mm][Aa][Ii][Ll][Tt][Oo]|[Tt][Ee][Ll]|[Ss][Mm][Ss]):"
    r"|(?<!\S)[:;]-?[()DPp]"
)
_WORD = re.compile(r"[^\W_]")
_RUN = re.compile(rf"[!-~]{{{RUN_CHARS_MAX + 1}}}")


# --- one pass -------------------------------------------------------------------------------------------------------


def _cleaned(text: str) -> str:
    """One layer of marks taken out; the text itself where there is none."""
    _refuse_what_is_not_speech(text)
    found = text
    for pattern, by in _BEFORE_LINES:
        found = pattern.sub(by, found)
    found = _ADDRESS.sub(_host_of, found)
    if "\n" in found or _LINE_MARK.match(found):
        found = _joined(found.split("\n"))
    for pattern, instead in _MARKS:
        found = pattern.sub(instead, found)
    found = _STARS.sub(_without_star, found)
    if not found.isascii():
        found = found.translate({ord(char): _symbol(char) for char in set(found)})
        found = _JOINERS.sub("", found)
    if found == text:
        return text
    for pattern, instead in _AFTERWARDS:
        found = pattern.sub(instead, found)
    return found.strip()


def _refuse_what_is_not_speech(text: str) -> None:
    if "```" in text or _BLOCK_TAG.search(text):
        raise Unsayable("words", "a block of code" if "```" in text else "a table or code")
    bars = text.count("|")
    if bars > _BARS_MAX or (bars and sum(line.count("|") > 1 for line in text.split("\n")) > 1):
        raise Unsayable("words", "a table")
    whole = text.strip()
    if whole[:1] in ("{", "[") and whole[-1:] in ("}", "]") and '":' in whole:
        raise Unsayable("words", "an object of JSON")


_BLOCK_TAG = re.compile(r"<(?:pre|code|table|script|style|svg)\b", re.IGNORECASE)

# Each is linear in the text: an agent's text must not hold a call up.
_BEFORE_LINES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]"), ""),  # a terminal's colours
    (re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]|\\[nr](?![a-z])"), "\n"),
    (re.compile(r"&(?:#\d{1,6}|#x[0-9a-fA-F]{1,5}|[A-Za-z]{2,8});"), lambda found: html.unescape(found[0])),
    (re.compile(r"^ {0,3}\[[^\[\]\n]*\]:[^\n]*$", re.MULTILINE), ""),  # where a link leads, at the foot of a text
    (re.compile(r"\[\^[^\[\]\n]*\]"), ""),  # a footnote
    (re.compile(r"!?\[([^\[\]\n]*)\]\([^()\n]*(?:\([^()\n]*\)[^()\n]*)?\)"), r"\1"),
    (re.compile(r"\[([^\[\]\n]+)\]\[[^\[\]\n]*\]"), r"\1"),
    (re.compile(r"<([^<>\s]+://[^<>\s]*|[^<>\s@]+@[^<>\s@]+)>"), r"\1"),
    (re.compile(r"</?[A-Za-z][^<>]*>"), " "),
    (re.compile(r"\b(?:mailto|tel|sms):(?=[\w+])", re.IGNORECASE), ""),
)

_ADDRESS = re.compile(
    r"(?<![\w@])(?:([A-Za-z][A-Za-z0-9+.-]{0,11})://|(?=[Ww]{3}\.)"
    rf"|(?=(?:[A-Za-z0-9-]{{1,40}}\.){{1,4}}(?:{_KNOWN_ENDS})/))([^\s<>\"`|]+)"
)
_CLOSING = ".,;:!?)]}'*_~"  # at the end of an address they belong to the sentence
_HOST = re.compile(r"(?!.*xn--)[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)*\.[^\W\d_]{2,}", re.IGNORECASE)
_SCHEMES = frozenset({"http", "https", "ftp", "ftps", "sftp", "ws", "wss"})


def _host_of(found: re.Match[str]) -> str:
    """A web address as it is said: the name of its host."""
    scheme, whole = (found[1] or "http").lower(), found[2]
    rest = whole.rstrip(_CLOSING)
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0].rpartition("@")[2].partition(":")[0].rstrip(".")
    name = host[4:] if host[:4].lower() == "www." else host
    if scheme not in _SCHEMES or len(name) > HOST_CHARS_MAX or not _HOST.fullmatch(name):
        raise Unsayable("a web address with a host's name that can be said", f"{scheme}, another host")
    return name + whole[len(rest) :]


# --- lines ----------------------------------------------------------------------------------------------------------

_LINE_MARK = re.compile(r"\s*(?:>|#{1,6}\s|[-+*•‣⁃◦▪●]\s+(?!\d))")
_QUOTE = re.compile(r"\s*(?:>\s?)+")
_HEADING = re.compile(r"\s*#{1,6}\s+(.*)")
_ITEM = re.compile(r"\s*[-+*•‣⁃◦▪●]\s+(?:\[[ xX]?\]\s+)?(.*)")
_NUMBERED = re.compile(r"\s*(\d{1,3}[.)]\s+.*)")
_RULE = re.compile(r"[\s*_=~#+-]*")
_TEXT, _LIST, _HEAD = range(3)


def _joined(lines: list[str]) -> str:
    """Lines as one, with the pauses that their layout stands for."""
    joined, before, gap = "", _TEXT, False
    for line in lines:
        words, kind = _line(line)
        if not words:
            gap = True
            continue
        if joined and joined.rstrip("*_\"'”’)] ")[-1:] not in _ENDS:
            if before is _LIST and kind is _LIST:
                joined += ","
            elif before is not _TEXT or gap:
                joined += "."
        joined = f"{joined} {words}" if joined else words
        before, gap = kind, False
    return joined


def _line(line: str) -> tuple[str, int]:
    """The words of a line, and whether it is an item of a list or a heading."""
    quote = _QUOTE.match(line)
    if quote is not None:
        line = line[quote.end() :]
    if _RULE.fullmatch(line):
        return "", _TEXT
    for pattern, kind, marks in ((_HEADING, _HEAD, " \t#"), (_ITEM, _LIST, ""), (_NUMBERED, _LIST, "")):
        found = pattern.fullmatch(line)
        if found is not None:
            return found[1].rstrip(marks).strip(), kind
    return line.strip(), _TEXT


# --- marks and symbols ----------------------------------------------------------------------------------------------

_MARKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\\(?=[!-/:-@\[-`{-~])"), ""),
    (re.compile(r"\\"), " "),
    (re.compile(r"[\x00-\x1f\x7f-\x9f]"), " "),
    (re.compile(r"`+|~~+"), ""),
    (re.compile(r"~(?![\d$€£])"), ""),
    (re.compile(r"__+|(?<![^\W_])_|_(?![^\W_])"), ""),
    (re.compile(r"##+|(?<![\w&])#(?=[^\W\d_])"), ""),
    (re.compile(r"\|"), " "),
    (re.compile(r"[-=]{1,3}>|<[-=]{1,3}(?!\d)"), " "),
    (re.compile(r"(?<!\w)\^|\^(?!\w)"), ""),
    (re.compile(r"(?<!\S)[:;]-?[()DPp](?![^\s.,!?])"), " "),  # faces
)
_STARS = re.compile(r"\*+")


def _without_star(found: re.Match[str]) -> str:
    """A star is a mark unless it is the key of a telephone or stands between two numbers."""
    text, stars = found.string, found[0]
    before, after = text[max(0, found.start() - 1) : found.start()], text[found.end() : found.end() + 1]
    alone = not before.strip() and (not after.strip() or after in ".,;:!?)\"'")
    code = not before.strip() and after.isdigit()
    between = before.isdigit() and after.isdigit()
    return stars if len(stars) == 1 and (alone or code or between) else ""


def _symbol(char: str) -> str:
    """What stands for a character: itself, unless it is not spoken."""
    if char.isascii() or char in _SPOKEN_SYMBOLS:
        return char
    category, code = unicodedata.category(char), ord(char)
    if category in ("So", "Sk") or char in "•‣⁃":
        return " "
    if category == "Sm" and (0x2190 <= code <= 0x21FF or 0x27F0 <= code <= 0x27FF or 0x2900 <= code <= 0x297F):
        return " "  # arrows
    if category in ("Co", "Cs", "Cn", "Me") or 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:
        return ""
    if category == "Cf" and char not in "\u200c\u200d":
        return ""
    return char


_JOINERS = re.compile(r"(?<!\w)[\u200c\u200d]+|[\u200c\u200d]+(?!\w)")  # within words some scripts need them

_AFTERWARDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\(\s*\)|\[\s*\]"), " "),
    (re.compile(r"\s+"), " "),
    (re.compile(r" (?=[,.!?;:](?:\s|$))"), ""),
    (re.compile(r"^[,;:]\s+"), ""),
)
