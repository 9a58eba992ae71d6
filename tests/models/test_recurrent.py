"""The recurrent network against torch's own two-way unit on packed sequences; saved, loaded, and padded at will."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from audit import demo
from audit.core.cache import Cache
from audit.core.errors import AuditError
from audit.core.progress import Progress
from audit.energy.meter import Meter
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.models.recurrent import RecurrentClassifier
from audit.models.recurrent_config import RecurrentConfig
from audit.training.finetune import recurrent
from tests.conftest import CLASSES

TEXTS = tuple(str(row["text"]) for row in demo.reviews("test", rows=40))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved network of random weights with its tokenizer."""
    folder, names = tmp_path_factory.mktemp("gru"), dict(enumerate(CLASSES))
    torch.manual_seed(0)
    network, tokenizer = recurrent(TEXTS, {"id2label": names, "label2id": {n: i for i, n in names.items()}}, 64)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def answers(folder: Path, texts: Sequence[str], cache: Path, at_once: int) -> np.ndarray:
    """Probabilities of texts that are read so many at a time."""
    scorer = Scorer(Model("gru", folder, CLASSES, 64), Cache(cache), Meter("DEU"), Progress())
    parts = [texts[start : start + at_once] for start in range(0, len(texts), at_once)]
    return np.concatenate([scorer.forward(part, show=False) for part in parts])


def test_padding_never_changes_an_answer(folder: Path, tmp_path: Path) -> None:
    texts = ["", "good", *TEXTS]
    alone, together = (answers(folder, texts, tmp_path, at_once) for at_once in (1, len(texts)))
    np.testing.assert_allclose(alone, together, atol=1e-5)
    assert np.ptp(alone[:, 0]) > 1e-3  # the answers differ from each other, so that the above says something


def test_it_is_the_two_way_unit_on_packed_sequences() -> None:
    torch.manual_seed(0)
    network = RecurrentClassifier(RecurrentConfig(vocab_size=50, hidden_size=8, num_labels=3)).eval()
    unit = torch.nn.GRU(8, 8, batch_first=True, bidirectional=True)
    for name, weight in network.forwards.named_parameters():
        getattr(unit, name).data = weight.data
    for name, weight in network.backwards.named_parameters():
        getattr(unit, f"{name}_reverse").data = weight.data
    texts = [torch.randint(1, 50, (length,)) for length in (7, 1, 4)]
    expected = []
    for states in unpack_sequence(unit(pack_sequence([network.embeddings(t) for t in texts], enforce_sorted=False))[0]):
        expected.append(network.classifier(torch.cat([states.amax(dim=0), states.mean(dim=0)])))
    ids = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
    torch.testing.assert_close(network(ids, (ids != 0).long()).logits, torch.stack(expected), atol=1e-6, rtol=0)


def test_a_saved_one_loads_as_any_model_does(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    first, second = Model("gru", folder, CLASSES, 64), Model("gru", copy, CLASSES, 64)
    assert first.fingerprint == second.fingerprint
    assert first.parameters == sum(weight.numel() for weight in first.network.parameters())
    np.testing.assert_array_equal(answers(folder, TEXTS, tmp_path / "a", 8), answers(copy, TEXTS, tmp_path / "b", 8))


def test_a_folder_of_this_kind_brings_no_code(folder: Path, tmp_path: Path) -> None:
    spoilt, ran = shutil.copytree(folder, tmp_path / "spoilt"), tmp_path / "ran"
    (spoilt / "code.py").write_text(f"open({str(ran)!r}, 'w')\nclass Mine: pass\n", "utf-8")
    config = json.loads((spoilt / "config.json").read_text("utf-8"))
    config["auto_map"] = dict.fromkeys(("AutoConfig", "AutoModelForSequenceClassification"), "code.Mine")
    (spoilt / "config.json").write_text(json.dumps(config), "utf-8")
    with suppress(AuditError):  # refused is as well
        np.testing.assert_array_equal(answers(spoilt, TEXTS, tmp_path, 8), answers(folder, TEXTS, tmp_path, 8))
    assert not ran.exists()
