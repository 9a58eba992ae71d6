"""Small real models and data, made once for all tests that run an audit."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

# pytester takes back what a run inside the test process imported; extension modules do not bear a second import, nor do
# Babel's patterns of numbers, which it keeps by the class of the first.
import babel.dates
import babel.messages.mofile
import babel.messages.pofile
import babel.numbers  # noqa: F401
import codecarbon  # noqa: F401
import datasets  # noqa: F401
import evaluate  # noqa: F401
import fairlearn.metrics  # noqa: F401
import pytest
import scipy.optimize
import scipy.special
import scipy.stats  # noqa: F401
import statsmodels.stats.proportion  # noqa: F401
import torch  # noqa: F401
from transformers import (  # noqa: F401
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    BertTokenizerFast,
    DataCollatorWithPadding,
    Trainer,
)

import audit.cli
import audit.probes.metrics
import audit.recurrent
import audit.session  # noqa: F401
from audit import demo
from tests.helpers import Runner, save_tiny

CLASSES = ("negative", "neutral", "positive")


def write_csv(path: Path, rows: list[dict[str, str | None]]) -> Path:
    """Rows as a CSV file with a header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all audits of the test run, so that no model is trained twice."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small BERT of random weights: a real model that nothing was spent on."""
    from transformers import set_seed

    from audit.finetune import small_bert

    set_seed(0)
    names = dict(enumerate(CLASSES))
    labels = {"id2label": names, "label2id": {label: i for i, label in names.items()}}
    texts = tuple(str(row["text"]) for row in demo.reviews("train", rows=300))
    network, tokenizer = small_bert(texts, labels, 32)
    folder = tmp_path_factory.mktemp("untrained")
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it ships, built once."""
    folder = tmp_path_factory.mktemp("wheels")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(Path(__file__).parent.parent)]
    subprocess.run(build, check=True, capture_output=True, timeout=600)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.csv and test.csv, a few hundred of the demo's reviews each."""
    folder = tmp_path_factory.mktemp("reviews")
    write_csv(folder / "train.csv", demo.reviews("train", rows=300))
    write_csv(folder / "test.csv", demo.reviews("test", rows=400))
    return folder


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny classifier of three named classes, one layer of random weights, saved once."""
    folder = tmp_path_factory.mktemp("saved") / "classifier"
    names = dict(enumerate(CLASSES))
    save_tiny(folder, id2label=names, label2id={name: i for i, name in names.items()})
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(saved, tmp_path / "models" / "mine"))


@pytest.fixture
def write_policy(pytester: pytest.Pytester, untrained: Path, reviews: Path) -> Callable[..., Path]:
    """Writes an audit.toml for the untrained model and the small data; arguments replace or add whole sections."""

    def write(**sections: str) -> Path:
        parts = {
            "model": f'source = "{untrained}"\nmax_length = 32',
            "data": f'train = "{reviews}/train.csv"\ntest = "{reviews}/test.csv"\nsubgroups = ["gender"]',
        }
        parts |= {name.replace("__", "."): body for name, body in sections.items()}
        text = "".join(f"[{name}]\n{body}\n" for name, body in parts.items())
        path = pytester.path / "audit.toml"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public data sets; tests that need it skip where it is not given."""
    folder = os.environ.get("AUDIT_TEST_DATA")
    if not folder:
        pytest.skip("AUDIT_TEST_DATA is not set to the folder of the public data sets")
    return Path(folder)


@pytest.fixture
def run(pytester: pytest.Pytester, cache: Path) -> Runner:
    """Runs pytest in an empty folder."""
    return Runner(pytester, cache)
