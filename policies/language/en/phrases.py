"""Finding phrases in recognizer text: normal form, clauses, and one table of word transitions for all patterns.

Pure and general: which phrases exist and what they say is `lexicon.py`. The patterns are compiled once, at import, into
a tree in which patterns that begin alike share their beginning and the words of a class lead to one node, so reading
costs about one dictionary look-up a word however many patterns there are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import NamedTuple

from .lexicon import BINDING, CONDITIONS, PHRASES, Says
from .vocabulary import CLASSES, CORRECTIONS, EQUALS, LEADS, LIGHT, SPELLINGS, TURNING

# "a.m.", amounts and clock times, words (with inner ' or -), and the punctuation that ends a clause.
_TOKENS = re.compile(
    r"[ap]\.m\b\.?|(?:\$\s?)?\.?[0-9]+(?:(?:st|nd|rd|th)\b|(?:[.,:/\-][0-9]+)*(?:\s?[%$](?![0-9]))?)"
    r"|[^\W\d_]+(?:['’\-][^\W\d_]+)*|[.?!,;:…—()\"]+"
)
_CLOSING = frozenset('.?!,;:…—()"')
_ENDINGS = {"n't": "not", "'ll": "will", "'ve": "have", "'re": "are", "'m": "am", "'s": "is", "'d": "would"}
READINGS_KEPT = 64  # several rules read the same words one after the other, and a final reading repeats a partial one


class Clause(NamedTuple):
    """A stretch of words up to punctuation or a turning word. `turned` = it begins with "but" and its like."""

    words: tuple[str, ...]
    spoken: tuple[str, ...]  # the same words, amounts with their digits
    asked: bool = False  # ends with a question mark
    turned: bool = False


class Match(NamedTuple):
    """A phrase found: the words [start, end) of its clause, and what it says."""

    start: int
    end: int
    says: tuple[Says, ...]


@lru_cache(maxsize=READINGS_KEPT)
def clauses(text: str) -> tuple[Clause, ...]:
    """Text as the recognizer gave it -> clauses in normal form (see `vocabulary.py`)."""
    found: list[Clause] = []
    words: list[str] = []
    numbers: dict[int, str] = {}
    turned = after_comma = False

    def end(asked: bool = False) -> None:
        nonlocal words, turned, numbers
        if words or turned:
            normal = tuple(words)
            spoken = tuple(numbers.get(at, word) for at, word in enumerate(words)) if numbers else normal
            found.append(Clause(normal, spoken, asked, turned))
            words, turned, numbers = [], False, {}

    for token in _TOKENS.findall(text.lower()):
        normal = NORMAL.get(token)
        if normal is not None:
            words += normal
        elif token[0] in _CLOSING and not token[-1].isdigit():
            asked = "?" in token
            if asked and len(words) <= TAG_WORDS_MAX and found and after_comma:
                found[-1] = found[-1]._replace(asked=True)  # "you charge by the hour, right?"
            end(asked)
            after_comma = token == ","
        elif token[0].isalpha():
            words += _opened(token)
        else:
            numbers[len(words)] = token
            words.append(amount_symbol(token))
            continue
        if words and words[-1] in TURNING:
            trailing = words.pop() == "though" and words
            end()
            turned = not trailing  # "it is pricey though": nothing follows to turn to
        elif len(words) > 2 and words[-1] in _CORRECTING and tuple(words[-2:]) in CORRECTIONS:
            marker = words[-2:]
            del words[-2:]
            end()
            words = marker  # "yes no wait" without a pause
            end()
    end()
    return tuple(found)


def amount_symbol(token: str) -> str:
    """'$1.50', '80%', '0.5' -> '<amount>'; '$0.00' -> '<none>'; '12', '10:30' -> '<number>'."""
    if "$" in token or "%" in token or "." in token:
        return "<amount>" if any(digit in "123456789" for digit in token) else "<none>"
    return "<number>"


def _opened(token: str) -> tuple[str, ...]:
    """Open a contraction by its ending; split a hyphenated word that the lexicon does not know."""
    if token.isalpha():
        return (token,)
    token = token.replace("’", "'")
    known = NORMAL.get(token)
    if known is not None:
        return known
    for ending, word in _ENDINGS.items():
        if token.endswith(ending) and len(token) > len(ending):
            return (token[: -len(ending)], word)
    return tuple(part for part in token.split("-") if part) if "-" in token else (token,)


TAG_WORDS_MAX = 2  # of a tag question

_CORRECTING = frozenset(marker[1] for marker in CORRECTIONS if len(marker) == 2)

NORMAL: Mapping[str, tuple[str, ...]] = {slip: tuple(words.split()) for slip, words in SPELLINGS.items()}


# --- the table of patterns --------------------------------------------------------------------------------------------


class Node:
    """Patterns that begin alike, up to here: the words that lead on, and what is said where one of them ends."""

    __slots__ = ("at_end", "next", "says")

    def __init__(self) -> None:
        self.next: dict[str, tuple[Node, ...]] = {}
        self.says: tuple[Says, ...] = ()  # anywhere
        self.at_end: tuple[Says, ...] = ()  # only where the clause ends too


def _compile() -> tuple[Node, Node, Node]:
    """(all patterns, those that may begin inside a clause, the binding ones of these)."""
    beginning, inside, binding = Node(), Node(), Node()
    grown: dict[tuple[int, frozenset[str]], Node] = {}
    for says, block in PHRASES.items():
        for pattern in block.replace("\n", "/").split("/"):
            raw = pattern.split()
            if not raw:
                continue
            begins, ends = raw[0] == "^", raw[-1] == "$"
            for items in _variants(raw[begins : len(raw) - ends]):
                roots = (beginning,) if begins else (beginning, inside, binding)
                for root in roots if says[0] in BINDING else roots[:2]:
                    node = root
                    for item in items:
                        node = _grow(node, item, grown)
                    if ends:
                        node.at_end += (says,)
                    else:
                        node.says += (says,)
    return beginning, inside, binding


def _variants(items: list[str]) -> list[list[frozenset[str]]]:
    """A pattern's items as sets of words, once with and once without each that may be left out."""
    variants: list[list[frozenset[str]]] = [[]]
    for item in items:
        words: set[str] = set()
        for word in item.rstrip("?").split("|"):
            words |= CLASSES[word[1:]] if word[0] == "@" else EQUALS.get(word, {word})
        with_it = [[*variant, frozenset(words)] for variant in variants]
        variants = with_it + variants if item.endswith("?") else with_it
    return variants


def _grow(node: Node, item: frozenset[str], grown: dict[tuple[int, frozenset[str]], Node]) -> Node:
    """The node after `item`: the words of a class share one."""
    onward = grown.get((id(node), item))
    if onward is None:
        onward = grown[id(node), item] = Node()
        for word in item:
            node.next[word] = (*node.next.get(word, ()), onward)
    return onward


_ANYWHERE, _INSIDE, _BINDING = _compile()


# --- matching ---------------------------------------------------------------------------------------------------------


def phrases(words: tuple[str, ...], met: Collection[str] = ()) -> list[Match]:
    """The phrases of one clause: leftmost, longest.

    `met` are the conditions (CONDITIONS) that hold. A phrase with a condition is general ("i do not ..." as an answer),
    so it leaves its words, but for the first, to a more telling one; all others keep theirs to themselves.
    """
    found: list[Match] = []
    start, count = 0, len(words)
    begins = True
    while start < count:
        nodes = (_ANYWHERE if begins else _INSIDE).next.get(words[start])
        end, says = _longest(nodes, words, start + 1, met) if nodes is not None else (0, ())
        if not says:
            begins = begins and words[start] in LEADS
            start += 1
            continue
        found.append(Match(start, end, says))
        begins = begins and (says[0][0] is None or (end == start + 1 and words[start] in LEADS))
        start = start + 1 if all(note in CONDITIONS for _, _, note in says) else end
    for start, word in enumerate(words):
        nodes = _BINDING.next.get(word)
        if nodes is not None:
            end, says = _longest(nodes, words, start + 1, ())
            if says and not any(match.says == says for match in found):
                found.append(Match(start, end, says))
    return found


def _longest(
    nodes: tuple[Node, ...], words: tuple[str, ...], at: int, met: Collection[str]
) -> tuple[int, tuple[Says, ...]]:
    """Where the longest phrase ends that goes on from `nodes` at word `at`, and what it says; (0, ()) = none does."""
    count = len(words)
    end = 0
    longest: tuple[Says, ...] = ()
    entered, active = nodes, nodes
    while True:
        for node in entered:
            said = node.says + node.at_end if at == count else node.says
            if said:
                holding = tuple([s for s in said if s[2] not in CONDITIONS or s[2] in met])
                if holding:
                    longest = longest + holding if end == at else holding
                    end = at
        if at == count:
            break
        word = words[at]
        at += 1
        entered = ()
        for node in active:
            onward = node.next.get(word)
            if onward is not None:
                entered += onward
        active = entered + active if word in LIGHT else entered
        if not active:
            break
    if len(longest) > 1:
        exceptions = tuple([s for s in longest if s[0] is None])
        longest = exceptions or tuple(sorted(set(longest), key=_by_strength))
    return end, longest


def _by_strength(says: Says) -> tuple[float, str, str]:
    return -says[1], str(says[0]), says[2]
