"""Broken texts are counted and named by number; cut ones are told with the accuracy on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from audit import Gate, Measurement, Verdict, judge
from audit.demo import reviews
from audit.probes.quality.hygiene import data
from tests.helpers import cells, examples, predictions
from tools.hygiene import PLANTS, clean, planted


def _examples(texts: Sequence[str], **protocol: Any) -> Any:
    return examples(np.arange(len(texts)) % 2, texts=texts, **protocol)


def _counts(found: Measurement) -> dict[str, list[object]]:
    return {str(name): row for name, *row in cells(found.tables[0])}


def test_it_is_a_census_of_detections_by_kind() -> None:
    texts = ["fine", "fine<br />", "a cafÃ©<br />", "so so", "\ufffd"]
    found = data(_examples(texts), _examples(["x&amp;y", "z"]))
    assert (found.low, found.estimate, found.high, found.n, found.interval) == (0.6, 0.6, 0.6, 5, "detections")
    assert found.facts["test examples with any of these"] == 3
    counts = _counts(found)
    assert counts["tags or entities of HTML"] == [2, 0.4, 1, 0.5]
    assert counts["characters read in the wrong encoding"] == [1, 0.2, 0, 0.0]
    assert counts["another language"] == [0, 0.0, 0, 0.0]
    assert cells(found.tables[1]) == [
        ["unreadable characters", "5", ""],
        ["characters read in the wrong encoding", "3", ""],
        ["tags or entities of HTML", "2, 3", "1"],
    ]


def test_of_each_kind_twenty_places_are_named_and_no_text() -> None:
    found = data(_examples([f"secret {i} &amp;" for i in range(50)]))
    ((_, numbers),) = cells(found.tables[1])
    assert numbers == ", ".join(map(str, range(1, 21)))
    assert "secret" not in repr([each.rows for each in found.tables])


def test_languages_are_left_out_where_the_policys_is_unknown() -> None:
    found = data(_examples(["fine", "Der Topf ist leider schon nach zwei Wochen ganz verrostet."], language="tlh"))
    assert "another language" not in _counts(found)
    assert any("“tlh”" in caveat for caveat in found.caveats)
    german = data(_examples(["fine", "Der Topf ist leider schon nach zwei Wochen ganz verrostet."], language="de"))
    assert german.estimate == 0


class _Reader:
    """Reads six words of a text."""

    def predict(self, texts: Sequence[str]) -> Any:
        raise NotImplementedError

    def reads_whole(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        return np.array([len(text.split()) <= 6 for text in texts], dtype=bool)

    def unknown_share(self, texts: Sequence[str]) -> float:
        return 0.125


def test_cut_texts_are_told_with_the_accuracy_on_them() -> None:
    test = examples([1] * 100, texts=[*["short enough"] * 60, *["this one is longer than the model reads"] * 40])
    said = predictions([1] * 60 + [0] * 30 + [1] * 10, test)
    found = data(test, None, said, _Reader())  # type: ignore[arg-type]
    low, high = proportion_confint(10, 40, method="beta")
    whole, cut = cells(found.tables[-1])
    assert whole[1:3] == [60, 1.0]
    assert cut[1:] == [40, 0.25, pytest.approx(low), pytest.approx(high)]
    assert found.facts["test examples whose end the model does not read"] == 0.4
    assert found.facts["tokens that its tokenizer does not know"] == 0.125
    assert found.estimate == 0
    few = data(test, None, replace(said, examples=test.take(np.arange(100))))
    assert len(few.tables) == 2


KINDS = [kind for kind in PLANTS if not kind.startswith("language:") or kind == "language:de"]


def _twin(seed: int) -> list[str]:
    return clean([str(row["text"]) for row in reviews("test", 100, seed)], seed)


@pytest.mark.slow("20 seeds of 100 texts each", seconds=2)
@pytest.mark.parametrize("kind", KINDS)
def test_planted_defects_are_found(kind: str) -> None:
    made = [planted(_twin(seed), kind, 0.05, seed)[0] for seed in range(20)]
    assert [judge(data(_examples(texts)), Gate(max=0.02))[0] for texts in made].count(Verdict.FAIL) >= 19


def test_none_is_said_as_none() -> None:
    assert data(_examples(_twin(0))).summary == "No test text is broken or out of place."


@pytest.mark.slow("20 seeds of 100 texts each", seconds=2)
def test_clean_texts_pass() -> None:
    found = [judge(data(_examples(_twin(seed))), Gate(max=0))[0] for seed in range(20)]
    assert found.count(Verdict.PASS) >= 19
