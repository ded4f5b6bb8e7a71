"""Principals: who asked. Every command of a person carries one into the journal, or into the cluster's state.

Who a principal really is, is proved where they come in, which is not this file's matter.
"""

from __future__ import annotations

from enum import StrEnum

from .parts import part


class PrincipalKind(StrEnum):
    """What sort of asker."""

    OPERATOR = "operator"  # a person, by their login or their name
    API = "api"  # a program that has not said for whom it asks
    CARRIER = "carrier"
    AGENT = "agent"  # of a call's policy
    SYSTEM = "system"  # offhook itself: scaling, a rollout
    UNKNOWN = "unknown"  # a name alone, as older records have it


NAME_CHARS_MAX = 128


@part
class Principal:
    """Somebody who may ask. As text it is `kind:name`, `kind` where there is no name, and the name alone if UNKNOWN.

    The text is what records hold; `of` reads it again, and any other text as somebody UNKNOWN, so that a record that
    is read and written is the same.
    """

    kind: PrincipalKind
    name: str = ""

    @property
    def text(self) -> str:
        """As records hold it."""
        if self.kind is PrincipalKind.UNKNOWN:
            return self.name
        return f"{self.kind.value}:{self.name}" if self.name else self.kind.value

    def __str__(self) -> str:
        return self.text

    @classmethod
    def of(cls, text: str) -> Principal:
        """The principal that a text stands for."""
        kind, colon, name = text.partition(":")
        if kind in _KINDS and (name or not colon):
            return cls(_KINDS[kind], name)
        return cls(PrincipalKind.UNKNOWN, text)


_KINDS = {kind.value: kind for kind in PrincipalKind if kind is not PrincipalKind.UNKNOWN}
NOBODY = Principal(PrincipalKind.UNKNOWN)
