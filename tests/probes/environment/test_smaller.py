"""Energy for each extra right answer, against closed forms; what is said of the models beside the audited one."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta, t

from audit import Finding, Gate, Measurement, NotAssessed, Pareto, Verdict, judge
from audit.energy import meter as energy
from audit.experiments.alternatives import NAMES, Alternative
from audit.probes.environment import smaller
from audit.record import record
from audit.report.page import page as report
from audit.statistics import Interval, quotient
from tests.helpers import ROOT, Runner, WritePolicy, examples, flowed, predictions
from tests.probes.environment.test_environment import blocks, training

N = 10_000
THIRD = 0.05 / 3  # the error of each of the three intervals behind a ratio
LINEAR = NAMES["words"]


def alternative(
    kind: str, right: NDArray[np.bool_], wh: list[float], source: str = "measured", **more: Any
) -> Alternative:
    """A model that is right there, and takes so many Wh for 1,000 predictions in each block."""
    truth = np.zeros(len(right), dtype=int)
    latency: Any = {"median_s": 0.002, "p95_s": 0.005, "texts": 200}
    measured = blocks([value * 200 / 1e6 for value in wh], source)
    made = Alternative(
        kind=kind, name=NAMES[kind], predictions=predictions(np.where(right, 0, 1), examples(truth)), training=None,
        inference=measured, latency=latency, size=5_900_000, parameters=1_470_594,
    )  # fmt: skip
    return replace(made, **more)


def pair(
    only: int, only_linear: int, wh: float = 0.5, linear_wh: float = 0.1, *, source: str = "measured", n: int = N
) -> tuple[Alternative, Alternative]:
    """The audited and the linear model, so often right where the other is not; no scatter of blocks."""
    right, linear = np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    right[:only_linear], linear[only_linear : only_linear + only] = False, False
    return alternative("audited", right, [wh] * 5, source), alternative("words", linear, [linear_wh] * 5, source)


def measure(*made: Alternative, **more: Any) -> Measurement:
    return smaller.energy_per_gain(made, {}, **more)


def zou_donner(b: int, c: int, n: int, error: float) -> Interval:
    """Section 3.3 of Zou and Donner 2008, with the limits of Clopper and Pearson."""

    def limits(x: int) -> tuple[float, float]:
        low = beta.ppf(error / 2, x, n - x + 1) if x else 0.0
        return low, beta.ppf(1 - error / 2, x + 1, n - x)

    (p, q), (l1, u1), (l2, u2) = (b / n, c / n), limits(b), limits(c)
    r = -math.sqrt(p * q / ((1 - p) * (1 - q)))
    low = math.sqrt((p - l1) ** 2 + (u2 - q) ** 2 - 2 * r * (p - l1) * (u2 - q))
    high = math.sqrt((u1 - p) ** 2 + (q - l2) ** 2 - 2 * r * (u1 - p) * (q - l2))
    return Interval(p - q, p - q - low, p - q + high)


# ---- the figure


def test_it_is_the_extra_energy_over_the_extra_right_answers() -> None:
    # 0.4 Wh more for 1,000 predictions, and of these 50 more are right.
    found = measure(*pair(600, 100))
    gain = zou_donner(600, 100, N, THIRD)
    assert found.estimate == pytest.approx(0.4 / 50)
    assert (found.low, found.high) == pytest.approx((0.4 / (1000 * gain.high), 0.4 / (1000 * gain.low)))
    assert (found.unit, found.n, found.confidence) == ("Wh per extra right answer", N, 0.95)
    assert found.facts["extra Wh per 1,000 predictions"] == pytest.approx(0.4)
    assert found.facts["extra right answers per 1,000 predictions"] == pytest.approx(50)
    assert "40 %" not in found.method


def test_the_error_of_an_estimate_does_not_cancel_out() -> None:
    found = measure(*pair(600, 100, source="estimated"))
    gain = zou_donner(600, 100, N, THIRD)
    low, high = 0.5 / 1.4 - 0.1 / 0.6, 0.5 / 0.6 - 0.1 / 1.4
    assert found.estimate == pytest.approx(0.008)
    assert (found.low, found.high) == pytest.approx((low / (1000 * gain.high), high / (1000 * gain.low)))
    assert "40 %" in found.method
    assert any("85 W" in limit for limit in found.caveats)


def test_the_scatter_of_the_blocks_is_in_it() -> None:
    audited, linear = pair(600, 100)
    wh, linear_wh = [0.4, 0.5, 0.6, 0.5, 0.5], [0.1, 0.12, 0.08, 0.1, 0.1]
    found = measure(
        replace(audited, inference=blocks([value * 2e-4 for value in wh], "measured")),
        replace(linear, inference=blocks([value * 2e-4 for value in linear_wh], "measured")),
    )
    (low, high), (linear_low, linear_high) = (
        t.interval(1 - THIRD, 4, np.mean(values), np.std(values, ddof=1) / np.sqrt(5)) for values in (wh, linear_wh)
    )
    gain = zou_donner(600, 100, N, THIRD)
    assert found.low == pytest.approx((low - linear_high) / (1000 * gain.high))
    assert found.high == pytest.approx((high - linear_low) / (1000 * gain.low))


def test_training_is_told_beside_it_spread_over_a_year() -> None:
    audited, linear = pair(600, 100)
    trained = [replace(model, training=training(kwh, "measured")) for model, kwh in ((audited, 0.4), (linear, 0.035))]
    found = measure(*trained, predictions_per_day=1_000)
    # 365 Wh more for training, over 365 thousand predictions: one Wh for a thousand, which is 0.02 for each of 50.
    assert found.estimate == pytest.approx(0.008)
    assert found.facts["with training, over a year of use, Wh per extra answer"] == pytest.approx(0.028)
    assert not any("not trained here" in limit for limit in found.caveats)
    loaded = measure(audited, trained[1])
    assert not any(key.startswith("with training") for key in loaded.facts)
    assert any("not trained here" in limit for limit in loaded.caveats)


@pytest.mark.parametrize(
    ("top", "expected"),
    [((2, 1, 3), (1, 1 / 4, 3)), ((-2, -3, -1), (-1, -3, -1 / 4)), ((0, -1, 2), (0, -1, 2)), ((1, 0, 2), (0.5, 0, 2))],
)
def test_a_quotient_holds_all_that_its_parts_allow(top: tuple[float, ...], expected: tuple[float, ...]) -> None:
    found = quotient(Interval(*top), Interval(2, 1, 4))
    assert found == pytest.approx(expected)
    corners = [a / b for a in top[1:] for b in (1, 4)]
    assert (found.low, found.high) == pytest.approx((min(corners), max(corners)))
    with pytest.raises(ValueError, match="surely above 0"):
        quotient(Interval(*top), Interval(2, 0, 4))


@pytest.mark.parametrize("source", ["measured", "estimated"])
def test_it_covers_the_truth_by_simulation(source: str) -> None:
    rng, draws, n = np.random.default_rng(7), 200, 2_500
    gain, wh, linear_wh = 0.04, 0.3, 0.02
    missed, figures = 0, 0
    for _ in range(draws):
        kind = rng.choice(4, p=[0.7, 0.08 + gain, 0.08, 0.14 - gain], size=n)  # both, only ours, only theirs, neither
        made = []
        for name, right, true in (("audited", kind <= 1, wh), ("words", kind % 2 == 0, linear_wh)):
            # The worst that the method can do, to either model by itself.
            off = rng.choice([0.6, 1.4]) if source == "estimated" else 1.0
            made.append(alternative(name, right, list(true * off * rng.normal(1, 0.05, size=5)), source))
        found = measure(*made)
        if found.low == math.inf:
            missed += 1
        elif found.low is not None and found.high is not None:
            figures += 1
            missed += not found.low <= (wh - linear_wh) / (1000 * gain) <= found.high
    assert figures > 0.9 * draws
    assert missed / draws <= 0.05


# ---- verdicts


@pytest.mark.parametrize(
    ("made", "gate", "verdict", "words"),
    [
        (pair(600, 100), 0.02, Verdict.PASS, ""),
        (pair(600, 100), 0.005, Verdict.FAIL, "beyond the gate"),
        (pair(600, 100), 0.0082, Verdict.INCONCLUSIVE, "more test examples would settle it"),
        # Less energy and more right answers: each gate that allows a cost at all allows that.
        (pair(600, 100, 0.1, 0.5), 0.0, Verdict.PASS, ""),
        (pair(600, 100, source="estimated"), 0.01, Verdict.INCONCLUSIVE, "no number of test examples changes"),
        # Surely not right more often: there is no figure, and no gate holds.
        (pair(100, 600), 1e9, Verdict.FAIL, "the energy buys nothing"),
        (pair(100, 600, 0.1, 0.5), 1e9, Verdict.FAIL, "right no more often"),
        # Open.
        (pair(310, 300), 1e9, Verdict.INCONCLUSIVE, "more test examples would settle that"),
        (pair(300, 310), 1e-9, Verdict.INCONCLUSIVE, "is open"),
        (pair(300, 300), 1.0, Verdict.INCONCLUSIVE, "equally often"),
        (pair(0, 0), 1.0, Verdict.INCONCLUSIVE, "is open"),
    ],
)
def test_verdicts(made: tuple[Alternative, ...], gate: float, verdict: Verdict, words: str) -> None:
    found = measure(*made)
    assert judge(found, Gate(max=gate))[0] == verdict
    assert words in judge(found, Gate(max=gate))[1]
    assert judge(found, None)[0] == Verdict.REPORTED


def test_an_open_gain_is_settled_by_as_many_examples_as_it_says() -> None:
    reason = judge(measure(*pair(330, 300)), Gate(max=1))[1]
    more = int("".join(filter(str.isdigit, reason.split("about ")[1])))
    # The distance of the exact bound shrinks with the root of n; 90 % power is 1.28 standard errors beyond it.
    gain, z = zou_donner(330, 300, N, THIRD), 2.394
    needed = N * ((gain.estimate - gain.low) * (z + 1.2816) / (z * gain.estimate)) ** 2
    assert more == pytest.approx(needed - N, rel=0.06)
    factor = (more + N) / N
    settled = measure(*pair(round(330 * factor), round(300 * factor), n=N + more))
    assert settled.estimate is not None


def test_a_gate_that_more_examples_can_settle_is_settled_by_them() -> None:
    found = measure(*pair(600, 100))
    assert found.settle is not None
    for gate, verdict in ((0.0082, Verdict.PASS), (0.0078, Verdict.FAIL)):
        settling = found.settle(gate)
        assert not isinstance(settling, str | None)
        factor = settling.total / N
        larger = measure(*pair(round(600 * factor), round(100 * factor), n=settling.total))
        assert judge(larger, Gate(max=gate))[0] == verdict


@pytest.mark.parametrize(("made", "verdict"), [(pair(100, 600), "fail"), (pair(310, 300), "inconclusive")])
def test_without_a_figure_record_and_report_say_why(
    made: tuple[Alternative, ...], verdict: str, tmp_path: Path
) -> None:
    from tests.report.page.test_page import Page
    from tests.report.page.test_page import record as whole

    found, gate = measure(*made), Gate(max=0.02)
    judged, reason = judge(found, gate)
    finding = Finding(found.id, "environment", "Energy of an extra right answer", judged, reason, found, gate)
    value = record.as_dict(finding)
    assert (value["verdict"], value["estimate"], value["low"], value["high"]) == (verdict, None, None, None)
    record.write(tmp_path, whole(value, verdict="fail"))
    shown = Page(report.render(record.read(tmp_path / "audit.json")))
    assert shown.problems == []
    assert f"There is no figure. {reason[0].upper()}{reason[1:]}." in shown.text
    assert "The gate allows at most 0.02 Wh per extra right answer" in shown.text
    assert "Nothing is known of it" not in shown.text
    assert found.summary in shown.text
    assert "An audit passes only where every gate holds" in shown.text


def test_without_the_linear_model_it_is_not_assessed() -> None:
    audited, _ = pair(600, 100)
    with pytest.raises(NotAssessed, match="name no training data"):
        smaller.energy_per_gain([audited], {"words": "the policy name no training data"})
    with pytest.raises(NotAssessed, match="alternatives"):
        smaller.energy_per_gain([audited], {})


# ---- the sentence


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            pair(600, 100, 4.0, 0.1),
            "This model costs about 40 times the energy of TF-IDF + logistic regression (between 40 and 40 times) for "
            "5.0 points of accuracy.",
        ),
        (
            pair(100, 600, 5.0, 0.1),
            "TF-IDF + logistic regression is as good or better here, by 5.0 points, for about 1/50 of the "
            "energy: the energy of this model buys nothing. Ship that one.",
        ),
        (
            pair(300, 310, 4.0, 0.1),
            "TF-IDF + logistic regression was right more often here, by 0.1 points, which chance may "
            "explain; this model takes about 40 times its energy",
        ),
        (pair(310, 300, 4.0, 0.1), "is open (0.1 points); it takes about 40 times its energy"),
        (pair(600, 100, 0.1, 0.2), "by 5.0 points, for about 50 % of the energy."),
        (pair(100, 600, 0.1, 0.2), "though this model takes about 50 % of its energy."),
        (pair(600, 100), "none is known to do as well for less"),
    ],
)  # fmt: skip
def test_a_manager_is_told(made: tuple[Alternative, ...], words: str) -> None:
    told = measure(*made).summary
    assert words in told
    # The difference has an interval in a finding of its own, and another one here, where it is one of several.
    assert "[" not in told


def eight_bit(lost: int, gained: int, wh: float, source: str = "measured") -> tuple[Alternative, ...]:
    """The audited model is wrong in the first 1,000; 8 bits lose and gain so many. Counting words is far behind."""
    right = np.arange(N) >= 1_000
    other = right.copy()
    other[:gained], other[N - lost :] = True, False
    return (
        alternative("audited", right, [0.5] * 5, source),
        alternative("words", np.arange(N) >= 3_000, [0.1] * 5, source),
        alternative("int8", other, [wh] * 5, source),
    )


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            eight_bit(40, 10, 0.3),
            "Nearly as good for less: 8-bit version of the audited model (0.3 points less), for about 60 % "
            "of the energy. Ask whether the rest is worth it.",
        ),
        (eight_bit(20, 18, 0.3), "(0.0 points less), for about 60 % of the energy. Ship that one."),
        (eight_bit(10, 60, 0.3), "Right more often for less: 8-bit version of the audited model (0.5 points"),
        (eight_bit(20, 18, 0.3, "estimated"), "not known well enough to be sure: if a meter confirms it"),
        (eight_bit(300, 0, 0.3), "none is known to do as well"),
        (eight_bit(20, 18, 0.6), "none is known to do as well"),
    ],
)  # fmt: skip
def test_a_smaller_model_that_does_as_well_is_named(made: tuple[Alternative, ...], words: str) -> None:
    assert words in measure(*made).summary


# ---- all models


def table(found: Measurement, caption: str) -> dict[str, list[Any]]:
    (made,) = [each for each in found.tables if each.caption.startswith(caption)]
    assert all(len(row) == len(made.columns) for row in made.rows)
    return {str(row[0]): list(row[1:]) for row in made.rows}


def pareto(found: Measurement) -> Pareto:
    (drawn,) = found.shown(Pareto)
    return drawn


def test_all_models_are_told_with_what_they_take() -> None:
    made = [replace(each, training=training(0.02, "measured", seconds=30.0)) for each in eight_bit(40, 10, 0.3)]
    found = smaller.energy_per_gain([*made[:2], replace(made[2], training=None)], {"recurrent": "no time for it"})
    right = table(found, "Right answers")
    low, high = beta.ppf(0.025, 8_970, 1_031), beta.ppf(0.975, 8_971, 1_030)
    assert right[NAMES["int8"]][:3] == pytest.approx([0.897, low, high])
    assert right[NAMES["int8"]][3:6] == pytest.approx(list(zou_donner(10, 40, N, 0.05)))
    assert right[NAMES["audited"]][3:6] == [None, None, None]
    takes = table(found, "What each takes")
    assert takes[NAMES["audited"]] == pytest.approx([0.5, 0.5, 0.5, "measured", 20, 30, 2, 5, 5.9, 1_470_594])
    assert takes[NAMES["int8"]][4:6] == [None, None]
    assert table(found, "Not compared") == {NAMES["recurrent"]: ["no time for it"]}


def test_the_front_holds_what_nothing_outdoes_and_says_how_sure_that_is() -> None:
    right = np.arange(N) >= 1_000
    made = [
        alternative("audited", right, [0.5] * 5),
        alternative("words", np.arange(N) >= 2_000, [0.1] * 5),
        alternative("recurrent", np.arange(N) >= 2_000, [0.2] * 5),  # as good as counting words, for more
        alternative("head", np.arange(N) >= 1_010, [0.49] * 5),
        alternative("last:2", np.arange(N) >= 1_001, [0.4, 0.5, 0.5, 0.5, 0.57]),
        alternative("int8", right, [0.6] * 5),  # as good as the audited model, for more
    ]
    found = smaller.energy_per_gain(made, {})
    front = {model.name: model.front for model in pareto(found).models}
    assert front == {NAMES[kind]: kind in ("audited", "words", "head", "last:2") for kind in NAMES}
    said = {name: row[-1] for name, row in table(found, "Right answers").items()}
    assert said[NAMES["words"]] == "yes"
    assert said[NAMES["head"]] == "yes"
    assert said[NAMES["last:2"]] == f"yes, but by energy not to be told from {NAMES['head']}"
    assert said[NAMES["audited"]] == f"yes, but by right answers and energy not to be told from {NAMES['last:2']}"
    assert said[NAMES["recurrent"]] == f"no: outdone by {LINEAR}"
    assert said[NAMES["int8"]] == f"no: outdone by {NAMES['audited']}"
    audited = pareto(found).models[0]
    assert audited.audited
    assert list(audited.wh) == pytest.approx([0.5] * 3)
    assert [model.audited for model in pareto(found).models].count(True) == 1


def test_what_outdoes_the_model_is_marked_where_that_is_sure() -> None:
    right = np.arange(N) >= 1_000
    made = [
        alternative("audited", right, [0.5] * 5),
        alternative("words", np.arange(N) >= 500, [0.1] * 5),  # more often right for less
        alternative("recurrent", np.arange(N) >= 500, [0.4, 0.5, 0.5, 0.5, 0.6]),  # more often right for about as much
        alternative("head", np.arange(N) >= 1_010, [0.1] * 5),  # for less, but perhaps less often right
        alternative("last:2", np.arange(N) >= 500, [0.9] * 5),  # more often right for more
    ]
    marked = {model.name: model for model in pareto(smaller.energy_per_gain(made, {})).models}
    outdoes = {kind: marked[NAMES[kind]].outdoes for kind in ("audited", "words", "recurrent", "head", "last:2")}
    assert outdoes == {"audited": "", "words": "both", "recurrent": "accuracy", "head": "", "last:2": ""}
    # The error is shared out over two claims on each of four models.
    assert list(marked[LINEAR].gain) == pytest.approx(list(zou_donner(500, 0, N, 0.05 / 8)))
    dear = [each if each.kind != "words" else replace(each, inference=blocks([1e-4] * 5, "estimated")) for each in made]
    dear[0] = replace(dear[0], inference=blocks([1.5e-4] * 5, "estimated"))
    # Estimated power may be off by 40 % for either.
    assert pareto(smaller.energy_per_gain(dear, {})).models[1].outdoes == "accuracy"


def test_of_equal_models_none_is_said_to_outdo_the_other() -> None:
    rng, wrong, draws = np.random.default_rng(8), 0, 400
    for _ in range(draws):
        kind = rng.choice(4, p=[0.7, 0.1, 0.1, 0.1], size=1_000)
        made = [
            alternative(name, right, list(rng.normal(0.3, 0.03, size=5)))
            for name, right in (
                ("audited", kind <= 1),
                ("words", kind % 2 == 0),
                ("recurrent", rng.random(1_000) < 0.8),
            )
        ]
        wrong += any(model.outdoes for model in pareto(smaller.energy_per_gain(made, {})).models)
    assert wrong / draws <= 0.05


# ---- the whole path


@pytest.mark.slow("measures the energy of alternatives", seconds=4)
def test_the_suite_as_it_ships_measures_it(
    run: Runner, write_policy: WritePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BLOCK_S", "IDLE_S"):
        monkeypatch.setattr(energy, name, 0.2)
    write_policy(environment='alternatives = ["words"]', gates__environment="energy_per_gain = { max = 1e9 }")
    suite = ROOT / "suites" / "test_environment.py"
    done = run("-k", "energy_per_gain", str(suite))
    # A model of random weights is surely worse than counting words, whatever the gate.
    assert done.ret == 1
    said = flowed(done.outlines)
    assert "FAIL Electricity for an extra right answer: not measured, limit 1,000,000,000" in said
    assert "the energy buys nothing: it is right no more often" in said
    found = run.finding("environment.energy_per_gain")
    assert (found["verdict"], found["estimate"]) == ("fail", None)
    assert LINEAR in found["summary"]
    assert '<svg class="pareto"' in (run.pytester.path / "reports" / "report.html").read_text("utf-8")
