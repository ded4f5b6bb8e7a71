"""The checkers of what was heard, agreed, taken back, owed and said: each promise is broken on purpose, and found so.

They keep accounts of their own, so a core that deceives itself does not deceive them: what is broken here is the rule
or the book that the core goes by, never a checker's.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from offhook.policies.conversation import machine
from offhook.policies.core import events as ev
from offhook.policies.core.draft import FollowUp
from offhook.policies.core.parts import replace
from offhook.policies.core.proposals import Polarity
from offhook.policies.core.state import CallState, Utterance
from offhook.policies.evidence import cues, heard, owed
from offhook.policies.gate import acts, basis, consent, debts, rules
from offhook.policies.language.port import registry
from offhook.policies.language.port.port import Assent
from offhook.policies.simulation import (
    account,
    consents,
    debt_watch,
    faults,
    freshness,
    outcomes,
    run,
    tellings,
    wilful,
)
from offhook.policies.simulation.meaning import Meant
from offhook.policies.simulation.violations import Violation
from offhook.policies.speech import turns

SEED, CALLS = 500, 900  # the rarest breach is met within a third of these
Break = Callable[[pytest.MonkeyPatch], None]


def _always(*_: Any) -> tuple[str, str, bool]:
    return "anything", "anything", True


def _never(*_: Any, **__: Any) -> None:
    return None


def _let(patch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:
        patch.setitem(rules.RULES, name, _always)


def every_answer_is_a_yes(patch: pytest.MonkeyPatch) -> None:
    always_yes = dataclasses.replace(registry.named("en"), assent=lambda *_: Assent(Polarity.YES))
    patch.setitem(registry._loaded, "en", always_yes)


def nobody_is_asked(patch: pytest.MonkeyPatch) -> None:
    _let(patch, "consent", "confirmed_slots", "told", "final_words")


def a_yes_may_come_before_the_value(patch: pytest.MonkeyPatch) -> None:
    """What was said over a read-back answers it, however much of it was still to come."""

    def asked(state: CallState) -> Utterance | None:
        question = cues.utterance_asked(state)
        return replace(question, told_ms=0) if question is not None else None

    patch.setattr(consent, "cues", SimpleNamespace(utterance_asked=asked))
    patch.setattr(turns, "_over_the_agent", lambda *_: False)
    patch.setattr(wilful, "OVER_A_READ_BACK", 1.0)
    patch.setattr(wilful, "_OVER_A_READ_BACK", (((Meant.YES, "short yes"),),))


def readers_are_not_listened_to(patch: pytest.MonkeyPatch) -> None:
    _let(patch, "reading")


def what_is_taken_back_is_done(patch: pytest.MonkeyPatch) -> None:
    _let(patch, "contrary", "consent", "confirmed_slots", "fresh")
    patch.setattr(acts, "reconsider", _never)
    others = tuple(each for each in machine.REDUCERS[ev.WordsHeard] if each.__name__ != "reconsider")
    patch.setitem(machine.REDUCERS, ev.WordsHeard, others)


def orders_are_never_withdrawn(patch: pytest.MonkeyPatch) -> None:
    """What is judged is judged rightly; what was ordered, and has not begun, stays so."""
    patch.setattr(faults, "REGISTER_SLOW", 1.0)
    patch.setattr(wilful, "TAKES_BACK_LATE", 1.0)
    others = tuple(each for each in machine.REDUCERS[ev.WordsHeard] if each.__name__ != "reconsider")
    patch.setitem(machine.REDUCERS, ev.WordsHeard, others)


def unread_words_are_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    _let(patch, "unread")


def what_is_said_is_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(heard, "whole", lambda _: True)
    patch.setattr(heard, "terms", lambda utterance: utterance.terms)


def nothing_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(heard, "whole", lambda _: False)
    patch.setattr(heard, "terms", lambda _: ())
    _let(patch, "told")


def nothing_is_owed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(owed, "owe", _never)


def debts_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """They are noted, and the first noise drops them."""
    patch.setattr(debts, "settle_up", _never)
    patch.setitem(machine.FOLLOW_UPS, FollowUp.SETTLE_UP, _never)


def anything_may_be_said_of_an_act(patch: pytest.MonkeyPatch) -> None:
    _let(patch, "outcome")


def what_was_judged_stays_judged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(basis, "moved", lambda _: [])


BROKEN: list[tuple[Break, str]] = [
    (every_answer_is_a_yes, consents.CONSENT),
    (nobody_is_asked, consents.CONSENT),
    (a_yes_may_come_before_the_value, consents.CONSENT),
    (readers_are_not_listened_to, consents.CONSENT),
    (what_is_taken_back_is_done, consents.WITHDRAWAL),
    (orders_are_never_withdrawn, consents.WITHDRAWAL),
    (unread_words_are_not_waited_for, consents.WITHDRAWAL),
    (what_is_said_is_told, tellings.TOLD),
    (nothing_counts, tellings.TOLD),
    (nothing_is_owed, debt_watch.DEBT),
    (debts_are_forgotten, debt_watch.DEBT),
    (anything_may_be_said_of_an_act, outcomes.SAID),
    (what_was_judged_stays_judged, freshness.STALE),
]


@pytest.mark.parametrize(("broken", "promise"), BROKEN, ids=lambda each: getattr(each, "__name__", ""))
def test_a_broken_promise_is_found(broken: Break, promise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "WILFUL", 1.0)
    broken(monkeypatch)
    found = next(_breaches(promise), None)
    assert found is not None, f"{CALLS} calls from seed {SEED} on, and nobody saw it"


def _breaches(promise: str) -> Iterator[tuple[int, Violation]]:
    for seed in range(SEED, SEED + CALLS):
        for violation in run.play(seed).violations:
            if violation.checker == promise:
                yield seed, violation


def test_a_breach_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_is_asked(monkeypatch)
    seed, violation = next(_breaches(consents.CONSENT))
    assert isinstance(violation, Violation)
    report = run.simulate(calls=1, seed=seed)
    assert any(f"offhook simulate --calls 1 --seed {seed}" in line for line in report.lines())


OWN_BOOKS = ("told", "answer", "consent", "debts", "slots", "said_revision", "ledger", "concerns", "acts", "done")


@pytest.mark.parametrize("module", [account, consents, debt_watch, freshness, outcomes, tellings])
def test_the_checkers_keep_books_of_their_own(module: Any) -> None:
    """None of them looks into what the core believes to be told, agreed or owed, or asks the core to read an answer."""
    tree = ast.parse(inspect.getsource(module))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in OWN_BOOKS:
            of = ast.unparse(node.value)
            assert "state" not in of and "authority" not in of, f"{ast.unparse(node)}, line {node.lineno}"
        if isinstance(node, ast.ImportFrom):
            names = {node.module or "", *(alias.name for alias in node.names)}
            assert names.isdisjoint({"assent", "heard", "consent", "debts", "agreement", "acts"}), names
