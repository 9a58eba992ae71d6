"""Batches: none changes an answer, every row is in one, and memory that runs out halves them; calibration; streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from audit import demo
from audit.core.cache import Cache
from audit.core.errors import AuditError
from audit.core.progress import Progress
from audit.energy.meter import Meter
from audit.inference import runner
from audit.inference import scorer as scorers
from audit.inference.batches import Batches
from audit.inference.scorer import Scorer
from audit.models.model import Model
from tests.conftest import CLASSES
from tests.helpers import is_one_sentence

TEXTS = [str(row["text"]) for row in demo.reviews("test", rows=40)] + ["one", "word " * 60]
LENGTHS = np.array([7, 3, 3, 9, 1, 3, 7, 2], dtype=np.int64)


def make_scorer(folder: Path, cache: Path, dtype: str = "float32") -> Scorer:
    return Scorer(Model("test", folder, CLASSES, 32, dtype=dtype), Cache(cache), Meter("DEU"), Progress())


def echo(rows: NDArray[np.int64]) -> torch.Tensor:
    return torch.from_numpy(rows.astype(np.float32))[:, None]


def save(family: str, untrained: Path, folder: Path, side: str, **settings: Any) -> Path:
    """A small classifier of random weights, and the untrained BERT's tokenizer, which pads on the side given."""
    tokenizer = AutoTokenizer.from_pretrained(untrained, padding_side=side)
    config = AutoConfig.for_model(
        family, vocab_size=len(tokenizer), num_labels=3, pad_token_id=tokenizer.pad_token_id, **settings
    )
    torch.manual_seed(0)
    network = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(4)  # so that answers differ from text to text
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64}
XLNET = {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64}


@pytest.mark.parametrize(
    ("family", "side", "settings"),
    [
        ("bert", "right", SMALL),
        ("roberta", "right", {**SMALL, "max_position_embeddings": 64}),
        ("gpt2", "right", GPT2),
        ("gpt2", "left", GPT2),  # counts positions from the padding
        ("gpt2", "right", {**GPT2, "pad_token_id": None}),  # refuses batches
        ("xlnet", "left", XLNET),  # reads the last token
        ("fnet", "right", {**SMALL, "max_position_embeddings": 64}),  # mixes padding in, whatever a mask says
    ],
)
def test_no_batch_changes_an_answer(
    family: str, side: str, settings: dict[str, Any], untrained: Path, tmp_path: Path
) -> None:
    settings = dict(settings)
    pads = settings.pop("pad_token_id", 0) is not None
    folder = save(family, untrained, tmp_path / "model", side, **settings)
    scorer = make_scorer(folder, tmp_path / "cache")
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    for each in (network, scorer.model.network):
        each.config.pad_token_id = each.config.pad_token_id if pads else None
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = scorer.predict(TEXTS).probabilities
    for text, row in zip(TEXTS, found, strict=True):
        encoded = tokenizer(text, truncation=True, max_length=32, return_tensors="pt")
        given = {
            name: encoded[name] for name in ("input_ids", "token_type_ids") if name in encoded and family != "gpt2"
        }
        with torch.no_grad():
            alone = torch.softmax(network(**given or {"input_ids": encoded["input_ids"]}).logits, -1)[0]
        np.testing.assert_allclose(row, alone.numpy(), rtol=0, atol=1e-5)
    assert np.ptp(found, axis=0).max() > 1e-3


def test_every_row_is_in_one_batch_and_none_is_wider_than_the_budget() -> None:
    made = Batches("cpu")
    made.tokens = 12
    parts = [rows.tolist() for rows, _ in made.run(LENGTHS, lambda rows: torch.zeros(len(rows), 1))]
    assert sorted(row for rows in parts for row in rows) == list(range(len(LENGTHS)))
    assert all(len(rows) * LENGTHS[rows].max() <= 12 for rows in parts)
    assert parts[0] == [3]  # the longest first


def test_texts_of_one_length_share_batches_where_padding_changes_answers() -> None:
    made = Batches("cpu")

    def work(rows: NDArray[np.int64]) -> torch.Tensor:
        return torch.full((len(rows), 1), float(LENGTHS[rows].max()))  # a text's answer depends on its neighbours

    found = dict.fromkeys(range(len(LENGTHS)), 0.0)
    for rows, answers in made.run(LENGTHS, work):
        assert len(set(LENGTHS[rows])) == 1
        found |= dict(zip(rows.tolist(), answers[:, 0].tolist(), strict=True))
    assert [found[i] for i in range(len(LENGTHS))] == LENGTHS.tolist()


def test_memory_that_runs_out_halves_the_batch(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = make_scorer(untrained, tmp_path / "one").predict(TEXTS).probabilities
    scorer = make_scorer(untrained, tmp_path / "other")
    network, seen = scorer.model.network, []

    def small(**given: torch.Tensor) -> Any:
        seen.append(given["input_ids"].numel())
        if seen[-1] > 200:
            raise torch.OutOfMemoryError("out of memory")
        return type(network).forward(network, **given)

    monkeypatch.setattr(network, "forward", small)
    np.testing.assert_allclose(scorer.predict(TEXTS).probabilities, expected, rtol=0, atol=1e-5)
    assert max(seen) > 200
    # It does not try again what did not fit.
    tried = sum(size > 200 for size in seen)
    scorer.forward(TEXTS)
    assert sum(size > 200 for size in seen) == tried
    assert scorer.counts.forward_passes == 2 * len(TEXTS)


def test_memory_for_not_even_one_text_is_said_in_a_sentence() -> None:
    def work(rows: NDArray[np.int64]) -> torch.Tensor:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(AuditError, match="one text of 9 tokens") as caught:
        list(Batches("cuda").run(LENGTHS, work))
    assert is_one_sentence(str(caught.value))


@pytest.mark.parametrize(("faster", "chosen"), [(0.5, 1024), (0.97, 2048)])
def test_calibration_takes_the_fastest_if_it_is_clearly_so(
    faster: float, chosen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = np.full(1000, 8, dtype=np.int64)
    clock, calls = [0.0], [0]

    def work(rows: NDArray[np.int64]) -> torch.Tensor:
        tokens, calls[0] = 8 * len(rows), calls[0] + 1
        seconds = tokens * (faster if tokens == 1024 else 1.0)
        # Somebody else's work: a third of the batches take ten times as long.
        clock[0] += seconds * (10 if calls[0] % 3 == 0 else 1)
        return echo(rows)

    monkeypatch.setattr("audit.inference.batches.time.perf_counter", lambda: clock[0])
    assert Batches("cpu").calibrate(lengths, work)["tokens"] == chosen


def test_a_calibration_is_made_once_and_only_where_it_pays(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = make_scorer(untrained, tmp_path / "cache")
    scorer.predict(TEXTS)
    assert scorer.counts.forward_passes == len(TEXTS)
    monkeypatch.setattr(runner, "calibration_tokens", lambda kind: 100)
    more = [f"again {text}" for text in TEXTS]
    scorer.predict(more)
    assert scorer.counts.forward_passes > 2 * len(TEXTS)
    another = make_scorer(untrained, tmp_path / "cache")
    another.predict([f"and again {text}" for text in TEXTS])
    assert another.counts.forward_passes == len(TEXTS)


def test_texts_come_from_an_iterator_and_results_go_to_a_file(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = make_scorer(untrained, tmp_path / "whole").predict(TEXTS).probabilities
    monkeypatch.setattr(scorers, "WINDOW", 16)
    scorer = make_scorer(untrained, tmp_path / "parts")
    found = scorer.predict_stream((text for text in [*TEXTS, *TEXTS]), tmp_path / "rows.npy")
    assert isinstance(found.probabilities, np.memmap)
    np.testing.assert_allclose(found.probabilities, np.concatenate([expected, expected]), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), found.probabilities)
    assert scorer.counts.forward_passes == len(set(TEXTS))
    assert len(scorer.predict_stream(iter(()), tmp_path / "none.npy")) == 0


def test_progress_of_texts_whose_number_is_not_known_shows_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from audit.core import progress

    monkeypatch.setattr(progress, "LIVE_EVERY_S", 0.0)
    lines: list[str] = []
    with Progress(lines.append, live=True).bar("score", 0, "texts") as bar:
        bar.advance(1000)
    assert "score: 1,000 texts, " in lines[0]
    assert "/s" in lines[0]
    assert "left" not in lines[0]


def test_another_dtype_runs_is_stated_and_shares_no_row(untrained: Path, tmp_path: Path) -> None:
    single = make_scorer(untrained, tmp_path / "cache").predict(TEXTS).probabilities
    scorer = make_scorer(untrained, tmp_path / "cache", "bfloat16")
    half = scorer.predict(TEXTS).probabilities
    assert scorer.counts.forward_passes == len(TEXTS)
    assert scorer.model.network.dtype == torch.bfloat16
    assert scorer.model.describe()["dtype"] == "bfloat16"
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, single, rtol=0, atol=0.05)
    assert not np.array_equal(half, single)


def test_no_texts_have_no_answers(saved: Path, tmp_path: Path) -> None:
    scorer = Scorer(Model("test", saved, CLASSES, 32), Cache(tmp_path), Meter("DEU"), Progress())
    assert scorer.forward([]).shape == scorer.predict([]).probabilities.shape == (0, 3)
    assert scorer.counts.forward_passes == 0
