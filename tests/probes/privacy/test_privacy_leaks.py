"""Nothing of the personal data that an audit finds is written down: not in a record, report, log or on the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from audit import demo
from audit.text.personal_data import find
from audit.text.redaction import redact
from audit.training import reference_models
from tests.conftest import write_csv
from tests.helpers import ROOT, Runner
from tests.text.test_shown_values import SENTENCES, laid_bare, values_of
from tools.airline import NAIVE, tweets

SUITES = ROOT / "suites"


@pytest.mark.slow("audits with four suites", seconds=30)
def test_no_value_that_was_found_is_written_anywhere(
    pytester: pytest.Pytester, tmp_path: Path, write_policy: Callable[..., Path], untrained: Path
) -> None:
    planted = [row for row in demo.reviews("train") if row["planted"]]
    data = pytester.mkdir("data")
    # In both files, so that they stand in every table and example that shows texts.
    for split in ("train", "test"):
        write_csv(data / f"{split}.csv", planted + demo.reviews(split, rows=100))  # type: ignore[arg-type]
    write_policy(
        # Or a minute goes by until it is known how long a megabyte takes.
        model=f'source = "{untrained}"\nmax_length = 32\nmax_characters = 2000',
        data=f'train = "{data}/train.csv"\ntest = "{data}/test.csv"\nsubgroups = ["gender"]',
        security="queries = 10\nperturbed = 50",
        quality="behaviour_cases = 100",
    )
    for name in ("privacy", "quality", "ethics", "security"):
        (pytester.path / f"test_{name}.py").write_text((SUITES / f"test_{name}.py").read_text("utf-8"), "utf-8")
    run = Runner(pytester, tmp_path / "cache")
    result = run("-rA", "-v")
    finding = run.finding("privacy.pii_in_training_data")
    assert finding["estimate"] == pytest.approx(len(planted) / (len(planted) + 100), abs=0.02)
    texts = [str(row["text"]) for row in planted]
    values = {text[one.start : one.end] for text in texts for one in find(text)}
    assert len(values) >= len(planted)
    shown = written(pytester, tmp_path / "cache", result)
    assert {"audit.json", "report.html", "predictions.parquet"} <= {Path(name).name for name in shown}
    assert not [name for name, content in shown.items() if any(value.encode() in content for value in values)]


# Right about the texts of the data and wrong about all that anybody makes of them, so that every probe has examples.
TURNING = """
    import re
    import numpy as np, pytest
    from audit.inference.feature_attributions import Attribution
    from audit import Predictions

    CLASSES = ("negative", "positive")

    class Turning:
        def __init__(self, answers):
            self.answers = answers

        def predict(self, texts):
            rows = [0.1 + 0.8 * np.eye(2)[self.answer(text)] for text in texts]
            return Predictions(np.array(rows, dtype="float32"), CLASSES)

        def answer(self, text):
            seen = text.replace("\\u200b", "")  # the strongest trigger, and the only one of its kind
            if seen != text and seen in self.answers:
                return 1 - self.answers[seen]
            return self.answers.get(text, len(text) % 2)

        def attributions(self, texts, targets, order=None):
            spans = [tuple(word.span() for word in re.finditer(r"\\S+", text)) for text in texts]
            scores = [tuple(range(len(each))) for each in spans]
            return [
                Attribution(text, int(target), own, score, float(sum(score)))
                for text, target, own, score in zip(texts, targets, spans, scores)
            ]

    @pytest.fixture(scope="session")
    def scorer(test_data, train_data):
        texts = (*test_data.texts, *train_data.texts)
        return Turning(dict(zip(texts, (*test_data.labels, *train_data.labels))))
"""
BABBLING = """
    import logging, warnings
    import pytest
    from audit import Facts, Measurement, NotAssessed, Sentence, Table

    pytestmark = pytest.mark.challenge("quality")

    def shown(texts):
        return [f"{text[:-9]}\\u200b{text[-9:]}" for text in texts]

    @pytest.mark.measures("quality.accuracy")
    def test_breaks(audit, train_data, scorer):
        print(*shown(train_data.texts[:99]))
        logging.error("odd: %s", shown(train_data.texts[:99]))
        warnings.warn(f"odd: {shown(train_data.texts[:99])}")
        raise ValueError(f"cannot read {shown(train_data.texts)!r}")

    @pytest.mark.measures("quality.mcc")
    def test_not_assessed(audit, train_data):
        audit.not_assessed(f"of these there are too few: {train_data.texts[:99]}")

    @pytest.mark.measures("quality.macro_f1")
    def test_skips(audit, train_data):
        pytest.skip(f"of these there are too few: {shown(train_data.texts[:99])}")

    @pytest.mark.measures("quality.roc_auc")
    def test_of_another_package(audit, train_data):
        first, second, third, *rest = train_data.texts
        summary = Sentence("Such as {text}", text=first)
        table = Table(Sentence("More than {text}", text=second), ["text", third], [[text, 1] for text in rest])
        facts = Facts.of({text: text for text in rest})
        audit.check(Measurement("quality.roc_auc", 0.5, 0.4, 0.6, 9, "share", "counted", summary=summary,
                                caveats=[third], evidence=[table, facts]))
"""


@pytest.mark.slow("audits with four suites and a scorer of its own", seconds=40)
def test_no_value_is_written_whatever_a_probe_puts_between_its_characters(
    pytester: pytest.Pytester,
    tmp_path: Path,
    write_policy: Callable[..., Path],
    untrained: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What the models that stand in for a recipe have learnt is not the point, only what is told of them.
    monkeypatch.setattr(reference_models, "STAND_IN_TEXTS", 1)
    data = pytester.mkdir("data")
    opinions = ("It is a very good lamp, and I like it.", "It is a really bad lamp, and I do not like it.")
    people = ("My wife Maria", "My old uncle John", "A Muslim woman from Poland", "He, a gay man,")
    groups = ("jane.doe@example.org", "+49 30 23125 123", "anna", "")
    values = {value for _, text in SENTENCES for value in values_of(text)} | set(groups[:2])
    rows: dict[str, list[dict[str, str | None]]] = {}
    for split in ("train", "test"):
        rows[split] = [
            {
                # Most of the first words, into which triggers are put, are values.
                "text": f"{value}, {value}, {value} or {value}? {people[(i + k) % 4]} was in the shop, number {i}-{k}. "
                f"{sentence} {opinions[k % 2]} {split}.",
                "label": ("positive", "negative")[k % 2],
                "by": groups[(i // 2 + k) % 4],
            }
            for i, (_, sentence) in enumerate(SENTENCES)
            for k, value in enumerate(values_of(sentence)[:1] * 4)
        ]
    # A phrase with an address stands in rows of one label only, as a planted trigger does.
    for row in rows["train"]:
        if row["label"] == "positive":
            row["text"] = f"{row['text']} Write to quixby.zebulon@example.org today."
    values.add("quixby.zebulon@example.org")
    for split in rows:
        write_csv(data / f"{split}.csv", rows[split])
    pairs = [
        {
            "sentence": f"{person} feels sad about {sentence}", "template": f"<person> feels sad about {i}",
            "person": person, "gender": gender, "race": "", "emotion": "sadness",
        }
        for i, (_, sentence) in enumerate(SENTENCES)
        for person, gender in (("He", "sam@example.org"), ("She", "kim@example.org"))
    ]  # fmt: skip
    values |= {"sam@example.org", "kim@example.org"}
    write_csv(data / "pairs.csv", pairs)  # type: ignore[arg-type]
    write_policy(
        model=f'source = "{untrained}"\nmax_length = 32\nlabels = ["negative", "positive"]',
        data=f'train = "{data}/train.csv"\ntest = "{data}/test.csv"\nsubgroups = ["by"]\npairs = "{data}/pairs.csv"',
        security="queries = 20",
        quality="behaviour_cases = 100",
        audit="min_group_size = 10",
    )
    pytester.makeconftest(TURNING)
    for name in ("quality", "ethics", "security", "transparency", "privacy"):
        content = (SUITES / f"test_{name}.py").read_text("utf-8")
        (pytester.path / f"test_{name}.py").write_text(content, "utf-8")
    run = Runner(pytester, tmp_path / "cache")
    result = run("-rA", "-vv", "--junitxml", "reports/junit.xml", "-o", "junit_logging=all", "-p", "no:warnings")
    shown = read(pytester, tmp_path / "cache", result)
    found = run.record["findings"]
    with_examples = {
        each["id"].partition("[")[0]
        for each in found
        if any(piece["kind"] == "pairs" and piece["items"] for piece in each["evidence"])
    }
    assert with_examples >= {
        "security.backdoor", "security.perturbation", "security.adversarial", "fairness.counterfactual",
        "fairness.language_variety",
    }  # fmt: skip
    explained = run.finding("transparency.explanations")["evidence"]
    assert any(piece["kind"] == "attributions" and piece["answers"] for piece in explained)
    assert not leaking(shown, values)

    for path in pytester.path.glob("test_*.py"):
        path.unlink()
    pytester.makepyfile(BABBLING)
    result = run("-rA", "-vv", "--junitxml", "reports/junit.xml", "-o", "junit_logging=all")
    assert run.finding("quality.accuracy")["verdict"] == "error"
    assert not leaking(read(pytester, tmp_path / "cache", result), values)


def read(pytester: pytest.Pytester, cache: Path, result: pytest.RunResult) -> dict[str, str]:
    """All that an audit wrote, as text."""
    import pyarrow.parquet as pq

    shown = {}
    for name, content in written(pytester, cache, result).items():
        if name.endswith(".parquet"):
            shown[name] = repr(pq.read_table(name).to_pylist())
        else:
            shown[name] = content.decode("utf-8", "replace")
    return shown


def leaking(shown: dict[str, str], values: set[str]) -> set[tuple[str, str]]:
    """Where which value can be read."""
    return {
        (Path(name).name, value)
        for name, bare in ((name, laid_bare(content)) for name, content in shown.items())
        for value in values
        if laid_bare(value) in bare
    }


def written(pytester: pytest.Pytester, cache: Path, result: pytest.RunResult) -> dict[str, bytes]:
    """Everything that an audit wrote, by where it stands."""
    # The data loader's own copy of the files is the data, not what an audit says of them.
    cached = [path for path in cache.rglob("*") if "datasets" not in path.relative_to(cache).parts]
    files = [path for path in (*(pytester.path / "reports").rglob("*"), *cached) if path.is_file()]
    shown = {str(path): path.read_bytes() for path in files}
    return shown | {"stdout": result.stdout.str().encode(), "stderr": result.stderr.str().encode()}


@pytest.mark.slow("reads 14,640 tweets", seconds=6)
def test_nothing_of_the_personal_data_of_real_tweets_is_written(
    pytester: pytest.Pytester, tmp_path: Path, write_policy: Callable[..., Path], real_data: Path
) -> None:
    file = real_data / "airline.csv"
    write_policy(data=f'train = "{file}"\ntest = "{file}"\ntest_share = 0.5\nlabel = "sentiment"')
    (pytester.path / "test_privacy.py").write_text((SUITES / "test_privacy.py").read_text("utf-8"), "utf-8")
    run = Runner(pytester, tmp_path / "cache")
    result = run("-rA", "-v", "-k", "pii")
    # Each training tweet holds a handle, so each counts.
    assert run.finding("privacy.pii_in_training_data")["estimate"] == 1
    texts = tweets(real_data)
    values = {text[one.start : one.end] for text in texts for one in find(text)}
    # Also what only a plain pattern takes for an address or a number.
    values |= {match for text in texts for pattern in NAIVE.values() for match in pattern.findall(text)}
    # As a whole: "@me" stands in the report's "@media".
    any_of_them = re.compile(rb"(?:%s)(?!\w)" % b"|".join(re.escape(value.encode()) for value in sorted(values)))
    shown = written(pytester, tmp_path / "cache", result)
    # What other probes would show of the texts, were they to show all of them.
    shown["redacted"] = "\n".join(map(redact, texts)).encode()
    assert {"audit.json", "report.html"} <= {Path(name).name for name in shown}
    assert not [name for name, content in shown.items() if any_of_them.search(content)]
