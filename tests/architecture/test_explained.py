"""The calls that the documents explain go as it is written there, and show what the text says of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("explained", Path(__file__).with_name("explained.py"))
assert _spec is not None and _spec.loader is not None
explained = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(explained)


@pytest.fixture(scope="module")
def now() -> dict[str, str]:
    found: dict[str, str] = explained.explained()
    return found


def test_the_document_shows_the_calls_as_they_go(now: dict[str, str]) -> None:
    assert explained.in_document() == now, "run `make docs`: a call goes otherwise now than the document says"


def test_nothing_is_booked_on_the_condition_and_the_booking_follows_the_plain_yes(now: dict[str, str]) -> None:
    before, _, after = now["condition"].partition("yes, and nothing left over")
    assert "unclear, which is no yes: a condition" in before and "book_meeting: announced" not in before
    assert "book_meeting: ordered" in after and "book_meeting: done" in after


def test_what_is_taken_back_is_never_ordered_and_the_caller_hears_of_it(now: dict[str, str]) -> None:
    assert "taken back  book_meeting" in now["taken_back"] and "book_meeting: ordered" not in now["taken_back"]
    assert now["taken_back"].index("I have not booked tuesday at 10") < now["taken_back"].index("paid: what came of")


def test_the_transfer_is_done(now: dict[str, str]) -> None:
    assert now["okay"].index("caller      Okay.") < now["okay"].index("transfer: ordered")
