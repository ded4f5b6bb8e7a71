"""How well the cues read real talk: precision and recall against PersuasionForGood's annotated chats.

    python tests/benchmarks/cues.py --data DIR [--file cues_dev.csv] [--half tune|check] [--show CLASS] [--json]

`DIR` holds `cues_dev.csv` with the columns dialogue, turn, speaker, text, label (PersuasionForGood, X. Wang et al.,
"Persuasion for Good", ACL 2019). Every row of the persuadee is a caller's turn: it is fed once as one final segment,
and once word by word as partials with that final segment at the end; both must leave the same evidence standing. What
the agent had asked comes from the persuader's rows just before: their label gives the utterance's purpose (an agent
knows its own), their question mark and first words what kind of answer it waits for.

The domain is asking for a donation, not selling, and the labels were made for persuasion strategies. What is compared:

    class       signs read                                     labels that should have it
    commitment  COMMITMENT                                     agree-donation, provide-donation-amount, confirm-donation
    against     CONCERN, DENIAL                                disagree-donation(-more), negative-reaction-to-donation,
                                                               negative-to-inquiry
    question    QUESTION                                       ask-*, task-, personal-, source-related-inquiry
    in favour   CONFIRMATION, INTEREST, SOFTENING, COMMITMENT  positive-reaction-to-donation, acknowledgement,
                                                               positive-to-inquiry, and those of commitment

Labels are about a row's role in the dialogue, not about its words: "Hello, how are you?" is `greeting` though it asks,
"Great, thank you!" is `thank` though it is warm, and a positive reaction may be a story without one warm word. So two
precisions are printed: `strict` takes every row without the class's labels as a negative; `precision` leaves out the
rows whose label does not say (SILENT below). Dialogues are split into halves by a checksum of their name: patterns were
written looking at the half `tune` only; the half `check` shows what they are worth on talk that nobody looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from offhook.policies.core.draft import Draft
from offhook.policies.core.events import WordsHeard
from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Asks, Purpose
from offhook.policies.core.state import AgentSpeech, CallerSpeech, CallState, Playing, Sign, Utterance
from offhook.policies.evidence import cues, evidence

_PROMISES = ("agree-donation", "provide-donation-amount", "confirm-donation")
_REFUSALS = ("disagree-donation", "disagree-donation-more", "negative-reaction-to-donation", "negative-to-inquiry")
_QUESTIONS = (
    "ask-org-info", "ask-donation-procedure", "ask-persuader-donation-intention", "ask-donation-amount",
    "ask-donate-more", "ask-not-donate-reason", "task-related-inquiry", "personal-related-inquiry",
    "source-related-inquiry",
)  # fmt: skip
_WARMTH = ("positive-reaction-to-donation", "acknowledgement", "positive-to-inquiry")

# class -> (signs that count as it, labels that should have it)
CLASSES: dict[str, tuple[frozenset[Sign], frozenset[str]]] = {
    "commitment": (frozenset({Sign.COMMITMENT}), frozenset(_PROMISES)),
    "against": (frozenset({Sign.CONCERN, Sign.DENIAL}), frozenset(_REFUSALS)),
    "question": (frozenset({Sign.QUESTION}), frozenset(_QUESTIONS)),
    "in favour": (
        frozenset({Sign.CONFIRMATION, Sign.INTEREST, Sign.SOFTENING, Sign.COMMITMENT}),
        frozenset(_WARMTH + _PROMISES),
    ),
}

# Labels that do not say whether a row has the class; left out of `precision`, negatives in `strict`.
_UNCLEAR = frozenset({"other", "off-task", "neutral-reaction-to-donation", "neutral-to-inquiry"})
_SOCIAL = frozenset({"greeting", "thank", "closing", "you-are-welcome", "praise-user", "comment-partner"})
SILENT: dict[str, frozenset[str]] = {
    "commitment": frozenset({"other", "off-task", "positive-reaction-to-donation"}),
    "against": _UNCLEAR,
    "question": frozenset({"other", "off-task", "greeting"}),
    "in favour": _UNCLEAR | _SOCIAL,
}

# The persuader's labels under which terms are named, so that a yes or an amount answers an offer.
OFFERS = frozenset(
    {"proposition-of-donation", "ask-donate-more", "ask-donation-amount", "confirm-donation", "donation-information"}
)
_YES_NO_HEADS = frozenset({
    "do", "does", "did", "is", "are", "was", "were", "have", "has", "can", "could", "would", "will", "should",
    "may", "might", "am", "shall", "don't", "doesn't", "isn't", "aren't", "haven't", "wouldn't", "won't", "couldn't",
})  # fmt: skip
_OPEN_HEADS = ("what", "how", "why", "which", "who", "when", "where")


@dataclass(frozen=True)
class Turn:
    """One row of the persuadee, with what the persuader had said before."""

    dialogue: str
    text: str
    labels: frozenset[str]
    asks: Asks
    purpose: Purpose


@dataclass
class Score:
    """Counts of one class; `strict` false positives are all, `wrong` those whose label speaks against it."""

    right: int = 0
    missed: int = 0
    wrong: int = 0
    unclear: int = 0

    def ratios(self) -> tuple[float, float, float]:
        """(precision, strict precision, recall)."""
        return (
            self.right / max(1, self.right + self.wrong),
            self.right / max(1, self.right + self.wrong + self.unclear),
            self.right / max(1, self.right + self.missed),
        )


def turns_of(path: Path) -> Iterator[Turn]:
    """The persuadee's rows with their context."""
    dialogue, last_speaker = "", ""
    spoken: list[tuple[str, frozenset[str]]] = []
    with path.open(newline="", encoding="utf-8") as rows:
        for row in csv.DictReader(rows):
            if row["dialogue"] != dialogue:
                dialogue, spoken, last_speaker = row["dialogue"], [], ""
            if row["speaker"] == "persuader":
                if last_speaker != "persuader":
                    spoken = []
                spoken.append((row["text"], frozenset(row["label"].split("|"))))
            else:
                asks, purpose = asked_by(spoken)
                yield Turn(dialogue, row["text"], frozenset(row["label"].split("|")), asks, purpose)
            last_speaker = row["speaker"]


def asked_by(spoken: list[tuple[str, frozenset[str]]]) -> tuple[Asks, Purpose]:
    """What the persuader's rows wait for, and what they are for."""
    offers = any(labels & OFFERS for _, labels in spoken)
    asks = Asks.NOTHING
    for text, _ in spoken:
        if text.rstrip(" )\"'").endswith("?"):
            asks = Asks.YES_NO if is_yes_no(text) else Asks.OPEN
    purpose = Purpose.OFFER if offers else Purpose.ANSWER if asks is Asks.NOTHING else Purpose.QUESTION
    return asks, purpose


def is_yes_no(question: str) -> bool:
    """True for a question that a yes or a no answers."""
    words = question.lower().replace(",", " ").split()
    for word in words:
        if word in _OPEN_HEADS:
            return False
        if word in _YES_NO_HEADS:
            return True
    return True


def hear(turn: Turn, policy: Policy, partials: bool) -> CallState:
    """The state after the caller has said it to a fresh call."""
    spoken = Utterance("u1", "", turn.purpose, turn.asks, True, "bench", "g1", playing=Playing.ENDED, started_ms=1)
    state = CallState(call="bench", speech=AgentSpeech(None, spoken), hearing=CallerSpeech(answering=turn.asks), turn=1)
    words = turn.text.split()
    readings = [(" ".join(words[:n]), False) for n in range(1, len(words))] if partials else []
    for text, final in [*readings, (turn.text, True)]:
        draft = Draft(state, policy)
        draft.state.revision += 1
        draft.state.now_ms += 250
        cues.words_heard(draft, WordsHeard(draft.state.now_ms, 0, text, final, 0, draft.state.now_ms))
        state = draft.state
    return state


def standing(state: CallState) -> dict[tuple[Sign, str], float]:
    """The evidence that counts at the end, by sign and topic."""
    return {(signal.sign, signal.topic): signal.strength for signal in evidence.standing(state.ledger)}


def measured(turns: list[Turn], show: str) -> tuple[dict[str, Score], int, int]:
    """Scores by class, how many rows left other evidence when fed as partials, and how many signals were retracted."""
    policy = Policy.model_validate({"name": "bench", "agents": {"none": {"code": "none:None"}}})
    scores = {name: Score() for name in CLASSES}
    differing = retracted = 0
    for turn in turns:
        state = hear(turn, policy, partials=False)
        found = standing(state)
        by_words = hear(turn, policy, partials=True)
        again = standing(by_words)
        same_sums = abs(by_words.ledger.readiness - state.ledger.readiness) < 0.2  # decays since the first partial
        differing += again != found or not same_sums or bool(by_words.ledger.open)
        retracted += sum(signal.sign is Sign.RETRACTION for signal in by_words.ledger.signals)
        signs = {sign for sign, _ in found}
        for name, (wanted, labels) in CLASSES.items():
            said, should = bool(signs & wanted), bool(turn.labels & labels)
            score = scores[name]
            silent = not should and turn.labels <= SILENT[name]
            score.right += said and should
            score.missed += should and not said
            score.wrong += said and not should and not silent
            score.unclear += said and silent
            if show == name and said != should:
                signals = ", ".join(f"{s} {t}" for s, t in found)
                print(
                    f"{'+' if said else '-'} {turn.text}   "
                    f"[{'|'.join(turn.labels)}; {turn.asks} {turn.purpose}; {signals}]"
                )
    return scores, differing, retracted


def half_of(dialogue: str) -> str:
    """Which half a dialogue belongs to; stable over machines."""
    return "check" if zlib.crc32(dialogue.encode()) % 2 else "tune"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the rows")
    parser.add_argument("--file", default="cues_dev.csv")
    parser.add_argument("--half", choices=["tune", "check"], default="")
    parser.add_argument("--show", choices=[*CLASSES, ""], default="", help="print the rows that this class gets wrong")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of tables")
    options = parser.parse_args()
    path = options.data / options.file
    if not path.is_file():
        print(f"skipped: {path} is absent (see the head of this file for what it holds)")
        return 0
    turns = list(turns_of(path))
    parts = {"all": turns, **{half: [t for t in turns if half_of(t.dialogue) == half] for half in ("tune", "check")}}
    if options.half:
        parts = {options.half: parts[options.half]}
    report = {}
    for part, rows in parts.items():
        scores, differing, retracted = measured(rows, options.show)
        report[part] = {
            "rows": len(rows),
            "partials_differ": differing,
            "retractions": retracted,
            "classes": {
                name: dict(
                    zip(("precision", "strict", "recall"), (round(r, 3) for r in score.ratios()), strict=True),
                    labelled=score.right + score.missed,
                )
                for name, score in scores.items()
            },
        }
    if options.json:
        print(json.dumps({"benchmark": "cues", "source": path.name, "parts": report}))
        return 0
    print_map()
    for part, result in report.items():
        print_part(part, result)
    return 0


def print_map() -> None:
    """The label map, as it is used."""
    for name, (signs, labels) in CLASSES.items():
        print(f"{name:<11} {', '.join(sorted(s.upper() for s in signs))}  <-  {', '.join(sorted(labels))}")
    print("precision leaves out rows whose label does not say; strict counts them as wrong\n")


def print_part(part: str, result: dict) -> None:  # type: ignore[type-arg]
    """One part's table."""
    print(f"{part}: {result['rows']} turns; {result['partials_differ']} end otherwise when fed word by word;", end=" ")
    print(f"{result['retractions']} provisional signals retracted")
    print(f"  {'class':<11} {'labelled':>8} {'precision':>10} {'strict':>8} {'recall':>8}")
    for name, figures in result["classes"].items():
        print(
            f"  {name:<11} {figures['labelled']:>8} {figures['precision']:>10.3f} {figures['strict']:>8.3f}"
            f" {figures['recall']:>8.3f}"
        )
    print()


if __name__ == "__main__":
    sys.exit(main())
