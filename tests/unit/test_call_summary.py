"""A call told from its records: what is shown as it happens, and the figures in the end."""

from __future__ import annotations

import io
from typing import Any

from offhook.policies.core.codec import encode
from offhook.policies.core.commands import HoldSpeech, Publish, Say
from offhook.policies.core.events import PlaybackStarted, SpeechEnded, SpeechStarted
from offhook.policies.core.proposals import Answer, Kind, Purpose, RuleResult, Verdict
from offhook.policies.core.records import Record
from offhook.serve.views.call_summary import CallSummary, Line
from offhook.serve.views.timeline import Timeline


class Journal:
    """Records as they come."""

    def __init__(self) -> None:
        self.summary = CallSummary("Dana")
        self.lines: list[Line] = []
        self._seq = 0

    def add(self, at_ms: int, kind: str, body: Any) -> list[Line]:
        self._seq += 1
        lines = self.summary.fold(Record("c1", 1, self._seq, at_ms, kind, body))
        self.lines += lines
        return lines

    def event(self, event: Any) -> list[Line]:
        return self.add(event.at_ms, "event", encode(event))

    def commands(self, at_ms: int, *commands: Any) -> list[Line]:
        return self.add(at_ms, "commands", [encode(command) for command in commands])

    def tell(self, at_ms: int, topic: str, **body: Any) -> list[Line]:
        return self.commands(at_ms, Publish(topic, body))

    def verdict(self, at_ms: int, answer: Answer, *rules: RuleResult, moment: str = "proposed") -> list[Line]:
        verdict = Verdict("v", "p", "booking", Kind.TOOL, "book_meeting", answer, at_ms, 9, 1, "booking", moment, rules)
        return self.add(at_ms, "verdict", encode(verdict))


def say(utterance: str, text: str) -> Say:
    return Say(utterance, text, Purpose.OFFER, True, "g1")


def test_an_interruption() -> None:
    journal = Journal()
    journal.commands(1_000, say("u1", "It is forty nine dollars a month."))
    journal.event(PlaybackStarted(1_050, "u1"))
    journal.event(SpeechStarted(2_060, 2_000, -20.0, 30.0, 120.0))
    assert journal.commands(2_061, HoldSpeech("u1")) == [Line(2_061, "overlap", "held 61 ms after the onset")]
    journal.add(2_061, "measure", {"what": "hold", "utterance": "u1", "us": 410})
    journal.tell(2_500, "overlap", what="barge-in", utterance="u1", take=0.9)
    assert journal.summary.saying
    journal.tell(2_500, "speech", what="cut", utterance="u1", pii_text="It is forty nine.", pii_heard="It is forty")
    assert not journal.summary.saying
    summary = journal.summary.summary()
    assert summary["holds"] == [
        {"utterance": "u1", "onset_ms": 2_000, "hold_ms": 61, "clear_us": 410, "then": "barge-in"}
    ]
    assert summary["cuts"] == [{"utterance": "u1", "said": "It is forty nine.", "heard": "It is forty"}]


def test_a_cut_that_is_told_again_with_a_better_position_is_one_cut() -> None:
    journal = Journal()
    journal.event(PlaybackStarted(1_050, "u1"))
    for heard in ("It is", "It is forty", "It is forty"):
        journal.tell(2_500, "speech", what="cut", utterance="u1", pii_text="It is forty nine.", pii_heard=heard)
    assert journal.summary.cuts == [{"utterance": "u1", "said": "It is forty nine.", "heard": "It is forty"}]
    assert [line.text for line in journal.lines if line.kind == "cut"] == ["It is", "It is forty"]


def test_an_utterance_that_was_overtaken_before_it_began_was_not_cut() -> None:
    journal = Journal()
    journal.commands(1_000, say("u1", "Good."))
    journal.tell(1_001, "speech", what="cut", utterance="u1", pii_text="Good.", pii_heard="")
    assert journal.summary.cuts == []
    assert journal.summary.saying == ""


def test_a_reply_counts_from_the_last_voiced_frame_and_a_broken_silence_is_none() -> None:
    journal = Journal()
    journal.event(SpeechEnded(1_160, 400, 1_000, 600, -20.0, 120.0))
    journal.tell(1_700, "turn", why="ended", number=2)
    journal.event(PlaybackStarted(1_800, "u1"))
    journal.event(PlaybackStarted(3_000, "u2"))
    journal.event(SpeechEnded(5_160, 4_400, 5_000, 600, -20.0, 120.0))
    journal.tell(5_700, "turn", why="ended", number=3)
    journal.tell(9_000, "silence", rung="reassure", mood="hesitating", waited_ms=4_000)
    journal.event(PlaybackStarted(9_050, "u3"))
    assert journal.summary.replies_ms == [800]
    assert journal.summary.silences == ["reassure"]


def test_acts_tell_each_refusal_once_and_both_moments_of_a_grant_once() -> None:
    journal = Journal()
    waiting = RuleResult("concerns", "no open concern", "timing open for 100 ms", False)
    later = RuleResult("concerns", "no open concern", "timing open for 900 ms", False)
    journal.verdict(1_000, Answer.DENY, waiting)
    journal.verdict(1_900, Answer.DENY, later)
    journal.verdict(5_000, Answer.GRANT)
    journal.verdict(5_001, Answer.GRANT, moment="execution")
    acts = journal.summary.acts()
    assert [(act["answer"], act["why"]) for act in acts] == [
        ("deny", "concerns: needs no open concern, is timing open for 100 ms"),
        ("grant", ""),
    ]
    assert journal.summary.summary()["denied"] == 2


def test_an_act_that_was_announced_and_taken_back_was_not_done() -> None:
    journal = Journal()
    journal.verdict(1_000, Answer.GRANT)
    assert journal.tell(1_000, "action", what="announcing", action="book_meeting", grant="g1") == [
        Line(1_000, "action", "book_meeting: announced to the caller, not done yet")
    ]
    no = RuleResult("contrary", "nothing against it after revision 5", "wait at revision 8", False)
    (line,) = journal.verdict(2_000, Answer.DENY, no, moment="withdrawal")
    assert line.text.startswith("taken back book_meeting by booking: contrary") and line.good is False
    journal.tell(2_000, "action", what="withdrawn", action="book_meeting", grant="g1")
    journal.tell(2_000, "debt", what="owed", kind="result", of="g1")
    assert [act["answer"] for act in journal.summary.acts()] == ["announced", "taken back"]
    assert journal.summary.tools == {"book_meeting": "withdrawn"}
    assert [(debt["words"], debt["ended"]) for debt in journal.summary.debts] == [
        ("owed: what came of book_meeting", "")
    ]
    journal.tell(3_000, "debt", what="paid", kind="result", of="g1")
    assert [debt["ended"] for debt in journal.summary.summary()["debts"]] == ["paid"]


def test_answers_to_read_backs_are_shown_and_kept_and_those_to_plain_questions_are_not() -> None:
    journal = Journal()
    (line,) = journal.tell(
        900, "answer", says="unclear", why="a condition", utterance="u4", confirms=True, pii_text="x"
    )
    assert line == Line(900, "answer", "unclear, which is no yes: a condition (to the read-back u4)", False)
    assert journal.tell(1_900, "answer", says="yes", why="", utterance="u5", confirms=False, pii_text="x") == []
    assert journal.summary.summary()["answers"] == [{"at_ms": 900, "says": "unclear", "why": "a condition"}]


def test_words_and_the_end() -> None:
    journal = Journal()
    assert journal.tell(500, "words", pii_text="It is", final=False) == [Line(500, "words", "It is ...")]
    journal.tell(900, "words", pii_text="It is fine.", final=True)
    journal.tell(1_000, "call", what="closed", outcome="booked")
    journal.add(1_100, "end", {"outcome": "booked", "counts": {}})
    assert journal.summary.heard == ["It is fine."]
    assert (journal.summary.over, journal.summary.outcome, journal.summary.seq) == (True, "booked", 4)


def test_a_record_of_another_version_is_said_and_passed_over() -> None:
    journal = Journal()
    (line,) = journal.add(1, "event", ["NoSuchEvent", 1])
    assert "could not be read" in line.text
    assert journal.add(2, "from the future", {}) == []


def test_the_timeline_without_a_terminal_is_plain_lines_and_a_table() -> None:
    journal = Journal()
    journal.commands(1_000, say("u1", "Hello."))
    journal.tell(2_000, "answer", says="unclear", why="a condition", utterance="u1", confirms=True)
    journal.tell(2_100, "debt", what="owed", kind="key", of="5")
    out = io.StringIO()
    with Timeline([journal.summary], out) as timeline:
        for line in journal.lines:
            timeline.show(journal.summary, line)
        timeline.refresh()
        result = {**journal.summary.summary(), "about": "says hello", "failures": ["dana.yaml:3: expect: no"]}
        timeline.table([result])
    text = out.getvalue()
    assert "   1.00 Dana       agent    Hello.\n" in text
    assert "dana.yaml:3: expect: no" in text
    assert "unclear: a condition" in text and "0 of 1 debts paid" in text and "owed: an answer to a key" in text
    assert "\x1b" not in text
