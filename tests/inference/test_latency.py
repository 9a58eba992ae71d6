"""Times taken of a real small model: every text answered or its failure told, and nothing measured twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from audit import Gate, Verdict, judge
from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.energy.meter import Meter
from audit.inference.latency import Latencies, measure_latency
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.probes.security.latency import latency_tail
from audit.text.hostile import KINDS, Request, hostile_requests
from tests.conftest import CLASSES
from tests.helpers import cells

ORDINARY = [f"the lamp number {i} works well" for i in range(40)]
ONE_OF_EACH = [Request(kind, 20_000) for kind in KINDS]


def make_scorer(folder: Path, cache: Cache, max_length: int = 32, max_characters: int = 4000) -> Scorer:
    return Scorer(
        Model("test", folder, CLASSES, max_length), cache, Meter("DEU"), Progress(), max_characters=max_characters
    )


def measure(scorer: Scorer, cache: Cache, hostile: Sequence[Request] = ONE_OF_EACH) -> Latencies:
    return measure_latency(scorer, ORDINARY, hostile, Meter("DEU"), cache)


def unanswered(times: Latencies) -> dict[str, str]:
    return {each["kind"]: each["error"] for each in times["hostile"] if each["error"] is not None}


@pytest.mark.slow("asks 525 hostile texts", seconds=3)
def test_a_real_model_answers_every_hostile_text(untrained: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    found = latency_tail(measure(make_scorer(untrained, cache), cache, hostile_requests()))
    assert found.estimate is not None
    assert found.summary.startswith("All 525 hostile texts got an answer")
    assert sum(row[2] for row in cells(found.tables[0])) == 0
    assert "first 4,000 characters" in found.caveats[0]


def test_without_a_cut_too_every_kind_is_answered(untrained: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert unanswered(measure(make_scorer(untrained, cache, max_characters=0), cache)) == {}


def test_more_tokens_than_the_network_has_places_for_are_a_failure(untrained: Path, tmp_path: Path) -> None:
    """A real crash: the policy's max_length is larger than what the small BERT was built for."""
    cache = Cache(tmp_path)
    times = measure(make_scorer(untrained, cache, max_length=500), cache)
    errors = unanswered(times)
    assert "empty text" not in errors
    assert errors["ordinary prose"] in ("IndexError", "RuntimeError")
    verdict, reason = judge(latency_tail(times), Gate(max=1e9))
    assert verdict is Verdict.FAIL
    assert "“ordinary prose”" in reason


def test_what_was_measured_is_not_measured_again_but_for_another_model_or_cut(untrained: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    scorer = make_scorer(untrained, cache)
    made = measure(scorer, cache, ONE_OF_EACH[:3])
    passes = scorer.counts.forward_passes
    assert measure(scorer, cache, ONE_OF_EACH[:3]) == made
    assert scorer.counts.forward_passes == passes
    other = make_scorer(untrained, cache, max_characters=10)
    assert measure(other, cache, ONE_OF_EACH[:3]) != made
    assert other.counts.forward_passes == passes
    measure(scorer, cache, ONE_OF_EACH[:4])
    assert scorer.counts.forward_passes > passes


class Theirs:
    """What a repository may put in the scorer's place: it dislikes some texts."""

    def predict(self, texts: Sequence[str]) -> Predictions:
        (text,) = texts
        if not text:
            raise ValueError("no text")
        rows = [[np.nan, np.nan] if text.isspace() else [0.7, 0.7] if text.isdigit() else [0.3, 0.7]]
        if text.startswith("a b c"):
            rows = [[-1, 2]]
        if text.startswith("<"):
            rows = []
        return Predictions(np.array(rows, dtype=np.float32).reshape(-1, 2), ("negative", "positive"))


def test_an_own_scorer_is_timed_by_the_clock_and_its_failures_are_told(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    times = measure(cast(Scorer, Theirs()), cache)
    assert times["clock"] == "wall"
    assert unanswered(times) == {
        "empty text": "ValueError",
        "spaces": "no probabilities",
        "line breaks": "no probabilities",
        "one number without an end": "no probabilities",
        "single letters": "no probabilities",
        "HTML tags": "no probabilities",
    }
    assert list(cache.measurements.iterdir()) == []
    verdict, reason = judge(latency_tail(times), Gate(max=20))
    assert verdict is Verdict.FAIL
    assert "“empty text” (ValueError)" in reason


def test_threads_and_garbage_collection_are_as_before_even_after_a_failure(untrained: Path, tmp_path: Path) -> None:
    import gc

    import torch

    class Broken(Theirs):
        def predict(self, texts: Sequence[str]) -> Predictions:
            raise KeyError("always")

    before = torch.get_num_threads()
    measure(make_scorer(untrained, Cache(tmp_path)), Cache(tmp_path), ONE_OF_EACH[:1])
    with pytest.raises(KeyError):
        measure(cast(Scorer, Broken()), Cache(tmp_path))
    assert torch.get_num_threads() == before
    assert gc.isenabled()
