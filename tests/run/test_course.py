"""How far an audit has come by its plan: the share that is done, and the time that is left."""

from __future__ import annotations

import pytest

from audit.core.progress import Progress
from audit.run.course import Course
from tests.helpers import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_it_tells_what_is_done_and_what_is_left_at_the_pace_so_far(clock: Clock) -> None:
    course = Course({"a": 100.0, "b": 200.0, "c": 100.0}, clock)
    assert str(course) == "audit 0 %, 6:40 left"
    course.begin("a")
    clock.now = 60
    assert str(course) == "audit 15 %, 5:40 left"
    clock.now = 200  # twice as long as planned
    assert str(course) == "audit 25 %, 5:00 left"
    course.end()
    assert str(course) == "audit 25 %, 10:00 left"
    course.begin("b")
    clock.now = 400
    assert str(course) == "audit 50 %, 6:40 left"
    course.end()
    course.begin("unplanned")
    clock.now = 500
    course.end()
    course.begin("c")
    clock.now = 10_000
    course.end()
    assert str(course) == "audit 100 %, 0:00 left"


def test_what_the_cache_held_does_not_promise_that_it_holds_the_rest(clock: Clock) -> None:
    course = Course({"a": 100.0, "b": 100.0}, clock)
    course.begin("a")
    course.end()
    assert str(course) == "audit 50 %, 0:05 left"


def test_without_a_plan_nothing_is_told() -> None:
    assert str(Course({})) == ""


def test_it_stands_behind_the_bar_of_the_moment(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", clock)
    lines: list[str] = []
    progress = Progress(lines.append)
    progress.whole = Course({"a": 100.0}, clock).__str__
    with progress.bar("score", 1_000, "texts") as bar:
        clock.now = 20
        bar.advance(500)
    assert lines[0].strip() == "score: 500/1,000 texts, 25/s, 0:20 left  (audit 0 %, 1:40 left)"
