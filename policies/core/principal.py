"""Principals: who asked. Every command of a person carries one into the journal, or into the cluster's state.

What belongs here is how a principal is named and written. Whether somebody is who they say is proved where they come
in.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from .parts import part


class PrincipalKind(StrEnum):
    """What sort of asker."""

    PERSON = "person"  # by their login
    PROGRAM = "program"  # that asks the API and has not said for whom
    SYSTEM = "system"  # offhook itself: scaling, for one
    UNKNOWN = "unknown"  # a name alone, as records of earlier releases have it


ID_CHARS_MAX = 128
NAME_CHARS_MAX = 128


@part
class Principal:
    """Somebody who may ask. `name` is shown beside the id and identifies nobody.

    As text it is `kind:id`, or `kind:id (name)`; of somebody UNKNOWN it is the id alone. Records hold the text, and
    `of` reads it. `Principal.of(text).text == text` holds for every text: what earlier releases wrote stays as it is.
    """

    kind: PrincipalKind
    id: str
    name: str = ""

    @property
    def text(self) -> str:
        """As records hold it."""
        return self._named if self.kind is PrincipalKind.UNKNOWN else f"{self.kind.value}:{self._named}"

    def __str__(self) -> str:
        """As people read it: a person by id and name, anybody else with the kind, as are all who could be taken for
        another kind."""
        plain = self.kind in (PrincipalKind.PERSON, PrincipalKind.UNKNOWN)
        if plain and kind_at_start(self._named) in (None, self.kind):
            return self._named or "somebody"
        return f"{self.kind.value} {self._named}"

    @property
    def fits(self) -> bool:
        """Whether id and name may be kept: within their limits, printable, and somebody's."""
        within = len(self.id) <= ID_CHARS_MAX and len(self.name) <= NAME_CHARS_MAX
        return bool(self.id.strip()) and within and self._named.isprintable()

    @property
    def _named(self) -> str:
        return f"{self.id} ({self.name})" if self.name else self.id

    @classmethod
    def of(cls, text: str) -> Principal:
        """The principal that a text stands for; where it names no kind, somebody UNKNOWN."""
        kind, _, named = text.partition(":")
        if kind not in _KINDS or not named:
            return cls(PrincipalKind.UNKNOWN, text)
        id, bracket, name = named.partition(" (")
        if id and bracket and name.endswith(")") and name != ")":
            return cls(_KINDS[kind], id, name[:-1])
        return cls(_KINDS[kind], named)


def kind_at_start(text: str) -> PrincipalKind | None:
    """The kind whose word, in whatever letters, a text begins with: people would read the rest as one of that kind."""
    word = _WORD.match(unicodedata.normalize("NFKC", text[:READ_CHARS]).casefold())
    return _WORDS.get(word.group(1)) if word is not None else None


READ_CHARS = 2 * NAME_CHARS_MAX  # of a text, to find the word at its start
_WORD = re.compile(r"\W*([^\W_]+)")
_WORDS = {kind.value: kind for kind in PrincipalKind}
_KINDS = {kind.value: kind for kind in PrincipalKind if kind is not PrincipalKind.UNKNOWN}
NOBODY = Principal(PrincipalKind.UNKNOWN, "")
