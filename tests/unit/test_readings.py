"""Which readings of a recognizer are told."""

from __future__ import annotations

from offhook.serve.engines.moonshine.readings import Line, Readings
from offhook.serve.engines.port import Reading


def line(text: str, duration_s: float, final: bool = False, id: int = 7, start_s: float = 1.0) -> Line:
    return Line(id, text, start_s, duration_s, final)


def test_a_partial_is_told_from_two_readings_that_agree_and_only_so_far() -> None:
    readings = Readings()
    assert readings.read(line("Nobody is.", 0.9)) is None
    told = readings.read(line("Nobody is a bit", 1.1))
    assert told == Reading(0, "Nobody is", False, 1_000, 2_100)
    assert readings.read(line("nobody is available.", 1.3)) is None  # "nobody is" once more is no news
    again = readings.read(line("Nobody is available to", 1.5))
    assert again is not None and again.text == "Nobody is available"


def test_under_a_second_of_sound_nothing_is_told() -> None:
    readings = Readings()
    assert readings.read(line("You", 0.3)) is None
    assert readings.read(line("You", 0.5)) is None
    assert readings.read(line("You know", 0.79)) is None


def test_a_final_reading_is_told_whole_however_short() -> None:
    assert Readings().read(line("Yes.", 0.4, final=True)) == Reading(0, "Yes.", True, 1_000, 1_400)


def test_what_coughs_are_read_as_is_dropped() -> None:
    readings = Readings()
    assert readings.read(line("You", 0.4, final=True)) is None
    assert readings.read(line("Thank you.", 0.5, final=True)) is None
    assert readings.read(line("Thank you.", 0.9, final=True)) is not None
    assert readings.read(line(" ...", 1.5, final=True, id=8)) is None


def test_a_partial_that_comes_to_nothing_is_taken_back() -> None:
    readings = Readings()
    readings.read(line("It was", 0.9))
    assert readings.read(line("It was a", 1.1)) is not None
    assert readings.read(line("", 1.2, final=True)) == Reading(0, "", True, 1_000, 2_200)


def test_segments_are_numbered_as_they_are_told() -> None:
    readings = Readings()
    readings.read(line("You", 0.3, final=True, id=1))
    first = readings.read(line("Yes.", 0.8, final=True, id=2))
    second = readings.read(line("No.", 0.8, final=True, id=3))
    assert first is not None and second is not None
    assert (first.segment, second.segment) == (0, 1)


def test_a_new_stream_of_the_model_goes_on_with_the_numbers_and_the_clock() -> None:
    readings = Readings()
    readings.read(line("Yes.", 0.8, final=True, id=1))
    readings.forget_ids()
    told = readings.read(line("No.", 0.8, final=True, id=1, start_s=0.5), base_ms=20_000)
    assert told == Reading(1, "No.", True, 20_500, 21_300)


def test_open_until_final() -> None:
    readings = Readings()
    readings.read(line("It", 0.4))
    assert readings.open
    readings.read(line("It is.", 0.9, final=True))
    assert not readings.open
