"""What must not change an audit does not: the order of test rows, names, copies of texts, the size of batches.

One audit of a pipeline of scikit-learn by the real suites, and others of the same data and model told otherwise: no
outside truth is needed to see that both must say the same (Segura et al., "A survey on metamorphic testing", IEEE TSE
2016).
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from audit.core.sentences import from_json
from audit.inference import batches
from tests.endtoend.test_classifiers import MODEL
from tests.helpers import ROOT, Runner, WritePolicy

# Those of the suites that are cheap: no training, no attack, no hundreds of templates.
TESTS = {
    "ethics": (
        "representation[{group}]", "accuracy_gap[{group}]", "worst_group_accuracy[{group}]",
        "demographic_parity[{group}]", "equalized_odds[{group}]", "hidden_group", "same_text_another_person[gender]",
        "language_variety[informal]",
    ),
    "privacy": ("membership_inference", "train_test_overlap", "pii_in_training_data"),
    "quality": (
        "accuracy", "macro_f1", "matthews_correlation", "roc_auc", "calibration", "baseline_gain", "weak_slice",
        "stability[batch]", "behaviour[negation_of_positive]", "label_noise", "drift[train]",
    ),
    "security": ("perturbation[typos]", "perturbation[contractions]"),
}  # fmt: skip
# What a search ranks, it ranks by rows; what it finds is tested by clusters.
SEARCHED = ("fairness.hidden_group", "quality.weak_slice")
GATES = {
    "gates__quality": "accuracy = { min = 0.5 }\nroc_auc = { min = 0.9 }\ncalibration_error = { max = 0.05 }",
    "gates__fairness": "accuracy_gap = { max = 0.3 }\nworst_group_accuracy = { min = 0.55 }\n"
    '"counterfactual[gender]" = { max = 0.085 }',
    "gates__security": "perturbation = { max = 0.2 }",
}
COLUMNS = {"text": "review", "label": "stars", "gender": "sex"}
LABELS = {"negative": "neg", "neutral": "neu", "positive": "pos"}
GROUPS = {"female": "y", "male": "x"}


def audited(
    run: Runner, write_policy: WritePolicy, train: pd.DataFrame, test: pd.DataFrame, **names: str
) -> dict[str, Any]:
    """The findings of an audit of these data, by id; `names` are those of columns."""
    text, label, group = (names.get(name, name) for name in ("text", "label", "gender"))
    folder = run.pytester.path
    for split, table in (("train", train), ("test", test)):
        table.to_csv(folder / f"{split}.csv", index=False)
    shutil.copytree(ROOT / "suites", folder / "suites")
    model = MODEL.format(train="train.csv").replace('row["text"]', f'row["{text}"]')
    run.pytester.makepyfile(shop=model.replace('row["label"]', f'row["{label}"]'))
    write_policy(
        model='source = "shop:pipeline"',
        data=f'train = "train.csv"\ntest = "test.csv"\ntext = "{text}"\nlabel = "{label}"\nsubgroups = ["{group}"]',
        security="perturbed = 150",
        audit='stopping = "full"',
        **GATES,
    )
    chosen = [f"suites/test_{name}.py::test_{each.format(group=group)}" for name, own in TESTS.items() for each in own]
    run(*chosen, "--audit-cache=none")
    return {finding["id"]: finding for finding in run.record["findings"]}


@pytest.fixture
def tables(reviews: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    train, test = (pd.read_csv(reviews / f"{split}.csv", keep_default_na=False) for split in ("train", "test"))
    return train, test


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """The audit of the data as they are, once it was made."""
    return {}


@pytest.fixture
def plain(
    known: dict[str, Any],
    run: Runner,
    write_policy: WritePolicy,
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> Mapping[str, Any]:
    if not known:
        known.update(audited(run, write_policy, *tables))
        for path in run.pytester.path.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return known


def figures(finding: Mapping[str, Any]) -> dict[str, Any]:
    """What a finding says, but for the last digits of sums in another order."""
    numbers = {name: finding[name] and round(finding[name], 6) for name in ("estimate", "low", "high")}
    return numbers | {"n": finding["n"], "verdict": finding["verdict"], "reason": from_json(finding["reason"])}


@pytest.mark.slow("two audits", seconds=15)
@pytest.mark.xdist_group("metamorphic")
def test_rows_in_another_order_and_other_names_change_nothing(
    run: Runner, write_policy: WritePolicy, plain: Mapping[str, Any], tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    train, test = (
        table.assign(label=table["label"].map(LABELS), gender=table["gender"].map(lambda name: GROUPS.get(name, name)))
        for table in tables
    )
    renamed = (train.rename(columns=COLUMNS), test.sample(frac=1, random_state=1).rename(columns=COLUMNS))
    found = audited(run, write_policy, *renamed, **COLUMNS)
    before = {
        full_id.replace("[gender]", "[sex]") if _of_column(full_id) else full_id: each
        for full_id, each in plain.items()
    }
    assert found.keys() == before.keys()
    for full_id, each in found.items():
        said, expected = figures(each), figures(before[full_id])
        if _of_column(full_id):
            said["reason"] = expected["reason"] = ""  # names the groups
        assert said == expected, full_id


def _of_column(full_id: str) -> bool:
    return full_id.startswith("fairness.") and "counterfactual" not in full_id


@pytest.mark.slow("an audit", seconds=10)
@pytest.mark.xdist_group("metamorphic")
def test_test_texts_that_stand_there_twice_count_once(
    run: Runner, write_policy: WritePolicy, plain: Mapping[str, Any], tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    train, test = tables
    found = audited(run, write_policy, train, pd.concat([test, test]))
    assert found.keys() == plain.keys()
    assert {each["verdict"] for each in found.values()} >= {"pass", "reported"}
    for full_id, each in found.items():
        once = plain[full_id]
        assert each["verdict"] == once["verdict"], full_id
        if once["estimate"] is None:
            continue
        if full_id not in SEARCHED:
            assert each["estimate"] == pytest.approx(once["estimate"], abs=0.003), full_id
        assert _or(each["low"], -math.inf) <= _or(once["low"], -math.inf) + 1e-3, full_id
        assert _or(each["high"], math.inf) >= _or(once["high"], math.inf) - 1e-3, full_id


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


@pytest.mark.slow("two audits", seconds=10)
def test_the_size_of_batches_changes_nothing(
    run: Runner, write_policy: WritePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_policy(audit='stopping = "full"', security="perturbed = 100", **GATES)
    shutil.copytree(ROOT / "suites", run.pytester.path / "suites")
    chosen = ("accuracy", "calibration", "behaviour[numbers]", "label_noise")
    tests = [
        *(f"suites/test_quality.py::test_{each}" for each in chosen),
        "suites/test_security.py::test_perturbation[typos]",
    ]
    found = []
    for tokens in (64, 8192):
        monkeypatch.setitem(batches.TOKENS, "cpu", tokens)
        run(*tests, "--audit-cache=none", "--audit-device=cpu")
        found.append({each["id"]: figures(each) for each in run.record["findings"]})
    assert len(found[0]) == len(tests)
    assert found[0] == found[1]
