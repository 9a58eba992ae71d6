"""An audit on a Ray cluster is the audit without it: same predictions, same twins, also where a worker is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.cluster import cluster as clusters
from audit.cluster.cluster import Cluster, ClusterScorer
from audit.cluster.worker import Answer, pack, unpack
from audit.core.cache import Cache
from audit.core.errors import AuditError
from audit.core.figures import Figures
from audit.core.progress import Bar, Progress
from audit.energy.meter import Meter
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.policy.policy import AuditPolicy
from audit.record import record
from audit.training.reference_models import twins
from tests.conftest import CLASSES
from tests.helpers import is_one_sentence
from tests.inference.test_scorer import TEXTS
from tests.training.test_finetune import examples, small_recipe

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.slow("runs a Ray cluster", seconds=40), pytest.mark.xdist_group("cluster")]


SUITE = """
import pytest
from audit.probes.ethics import fairness
from audit.probes.quality import quality

@pytest.mark.measures("quality.accuracy")
def test_accuracy(audit, predictions, audit_session):
    audit.check(quality.accuracy(predictions))
    if cluster := audit_session.resources.cluster:
        with open("cluster", "w") as file:
            file.write(f"{cluster._connection.folder} {cluster.pids[0]}")

@pytest.mark.measures("fairness.accuracy_gap")
def test_gap(audit, predictions, subgroup):
    audit.check(fairness.accuracy_gap(predictions, subgroup))
"""


def test_an_audit_on_ray_has_the_record_of_one_without(
    pytester: pytest.Pytester, write_policy: Callable[..., Path]
) -> None:
    """It starts a cluster, ends it, and says not a word of it; first in this file, before there is another cluster."""
    (pytester.path / "test_suite.py").write_text(SUITE, "utf-8")
    records = {}
    for name, body in (("here", ""), ("there", 'engine = "ray"\nworkers = 2')):
        write_policy(audit=body, gates__quality="accuracy = { min = 0.2 }")
        done = pytester.runpytest_inprocess("--audit-out", name, "--audit-cache", "none")
        assert done.ret == 0
        records[name] = record.read(pytester.path / name / record.NAME)
        assert "ray" not in (done.stdout.str() + done.stderr.str()).replace("/ray/", "").replace(str(pytester.path), "")
    assert records["there"]["findings"] == records["here"]["findings"]
    assert records["there"]["scoring"] == {**records["here"]["scoring"], "workers": 2, "lost_workers": 0}
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    folder, pid = (pytester.path / "cluster").read_text("utf-8").split()
    assert not Path(folder).exists()
    for _ in range(300):  # it is told to go, and goes when it gets to run
        if not _runs(pid):
            break
        time.sleep(0.1)
    assert not _runs(pid)
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('engine = "ray"\naddress = "127.0.0.1:1"', "127.0.0.1:1 cannot be reached"),
        ('address = "auto"', "address and workers are a Ray cluster's"),
        ('engine = "spark"', "engine"),
    ],
)
def test_a_cluster_that_cannot_be_used_stops_the_audit_before_it_begins(
    pytester: pytest.Pytester, write_policy: Callable[..., Path], body: str, sentence: str
) -> None:
    write_policy(audit=body)
    (pytester.path / "test_suite.py").write_text("def test_it(predictions): ...\n", "utf-8")
    done = pytester.runpytest_inprocess("--audit-cache", "none")
    assert done.ret == 4
    (line,) = [line for line in done.stderr.lines if sentence in line]
    assert is_one_sentence(line)
    assert not (pytester.path / "reports").exists()


def _runs(pid: str) -> bool:
    """Whether a process is there, and not only waits to be forgotten by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of two workers on this machine, started as an audit starts it."""
    made = Cluster(AuditPolicy(engine="ray", workers=2), "cpu")
    yield made
    made.close()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the few texts of a test are several pieces of work."""
    monkeypatch.setattr(clusters, "CHUNK_TOKENS", (64, 64))


class Killer(Progress):
    """Kills a worker as soon as something is done: the other, which is still at work."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self.cluster, self.killed = cluster, 0

    def bar(self, name: str, total: int, unit: str) -> Any:
        killer = self

        class Killing(Bar):
            def advance(self, steps: int, note: str = "") -> None:
                if not killer.killed:
                    killer.killed = killer.cluster.pids[0]
                    os.kill(killer.killed, signal.SIGKILL)

            def __enter__(self) -> Bar:
                return self

            def __exit__(self, *error: object) -> None:
                self.close()

        return Killing(lambda text: None, False, name, total, unit)


def scorers(folder: Path, cache: Path, cluster: Cluster, progress: Progress | None = None) -> tuple[Scorer, Scorer]:
    """One that runs the model here and one that has the cluster run it, each on a cache of its own."""
    models, meter = [Model("test", folder, CLASSES, 32) for _ in range(2)], Meter("DEU")
    here = Scorer(models[0], Cache(cache / "here"), meter, Progress())
    there = ClusterScorer(models[1], Cache(cache / "there"), meter, progress or Progress(), cluster)
    return here, there


@pytest.mark.usefixtures("small_chunks")
def test_workers_say_what_the_model_says_here_and_it_is_kept_here(
    untrained: Path, tmp_path: Path, cluster: Cluster
) -> None:
    here, there = scorers(untrained, tmp_path, cluster)
    alike = [text.upper() for text in TEXTS[:20]]  # to a tokenizer that knows no capitals
    texts = [*TEXTS, *TEXTS[::-1], *alike, "a good \ud800 lamp"]
    expected, found = here.predict(texts).probabilities, there.predict(texts).probabilities
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(there.embed(texts), here.embed(texts), atol=1e-5)
    assert there.counts == here.counts
    assert there.counts.forward_passes == 2 * (len(set(TEXTS)) + 1)
    assert "tokenizer" not in vars(there.model)  # workers have theirs
    assert cluster.elsewhere == []  # both workers are on this machine, whose tracker counts them already
    # The rows are in the audit's own cache: a scorer without a cluster finds them.
    again = Scorer(there.model, Cache(tmp_path / "there"), Meter("DEU"), Progress())
    np.testing.assert_array_equal(again.predict(texts).probabilities, found)
    assert again.counts.forward_passes == 0


@pytest.mark.usefixtures("small_chunks")
def test_a_worker_that_is_killed_loses_nothing_and_is_counted(
    untrained: Path, tmp_path: Path, cluster: Cluster
) -> None:
    killer, before = Killer(cluster), cluster.lost
    here, there = scorers(untrained, tmp_path, cluster, killer)
    found = there.predict(TEXTS).probabilities
    np.testing.assert_allclose(found, here.predict(TEXTS).probabilities, atol=1e-5)
    assert killer.killed
    assert cluster.lost == before + 1
    assert killer.killed not in cluster.pids


def test_each_machine_is_counted_once(cluster: Cluster) -> None:
    """Two workers at once on another machine share what both read of it; this machine has a tracker of its own."""
    assert cluster.size == 2  # it runs
    asked = Cluster(AuditPolicy(engine="ray"), "cpu")
    phase: Figures = {
        "name": "score",
        "started": 0.0,
        "seconds": 2.0,
        "kwh": 1.0,
        "co2eq_kg": 0.5,
        "source": "measured",
    }
    here = ray.get_runtime_context().get_node_id()
    done = [("other", phase), ("other", phase), (here, phase), ("third", phase), (here, None)]
    answers = [Answer(i, None, i, i, machine, taken) for i, (machine, taken) in enumerate(done)]
    energy = asked._book(answers)
    assert {piece: each["kwh"] for piece, each in energy.items()} == {0: 0.5, 1: 0.5, 2: 1.0, 3: 1.0}
    (elsewhere,) = asked.elsewhere
    assert (elsewhere["kwh"], elsewhere["co2eq_kg"]) == (2.0, 1.0)


def test_twins_are_the_same_models_wherever_they_are_trained(tmp_path: Path, cluster: Cluster) -> None:
    data, recipe = examples(120), small_recipe(max_steps=3)
    meter, kept = Meter("DEU"), Cache(tmp_path / "there")
    there = twins(recipe, data, 2, kept, meter, Progress(), cluster)
    assert [phase.name for phase in meter.phases] == ["twins"]
    here = twins(recipe, data, 2, Cache(tmp_path / "here"), Meter("DEU"), Progress())
    assert [twin.model.fingerprint for twin in there] == [twin.model.fingerprint for twin in here]
    for twin, other in zip(there, here, strict=True):
        assert twin.model.files == other.model.files
        assert twin.model.training is not None
        assert twin.model.training["fingerprint"] == twin.model.fingerprint
        assert twin.model.training["energy"]["kwh"] > 0
    again = twins(recipe, data, 2, kept, idle := Meter("DEU"), Progress(), cluster)
    assert [twin.model.fingerprint for twin in again] == [twin.model.fingerprint for twin in here]
    assert idle.phases == []


def test_a_twin_of_a_given_base_is_the_same_too(untrained: Path, tmp_path: Path, cluster: Cluster) -> None:
    """The base model's files travel to the worker; nothing of where they lay there is in the result."""
    recipe = replace(small_recipe(max_steps=2, initialise="pretrained"), source="mine", base=untrained)
    found = [
        twins(recipe, examples(60), 1, Cache(tmp_path / name), Meter("DEU"), Progress(), where)[0].model.fingerprint
        for name, where in (("there", cluster), ("here", None))
    ]
    assert found[0] == found[1]


def test_what_fails_in_a_worker_is_told_as_it_is_here(untrained: Path, tmp_path: Path, cluster: Cluster) -> None:
    recipe = small_recipe(max_steps=2, train="last:9")
    with pytest.raises(AuditError, match="the model has 2 layers that can be told apart"):
        twins(recipe, examples(60), 1, Cache(tmp_path), Meter("DEU"), Progress(), cluster)


def test_files_that_were_changed_on_the_way_are_not_loaded(untrained: Path, tmp_path: Path) -> None:
    known = Model("test", untrained, CLASSES, 32).fingerprint
    files = dict(pack(untrained))
    (tmp_path / "whole").mkdir()
    unpack(files, tmp_path / "whole", known)
    assert Model("test", tmp_path / "whole", CLASSES, 32).fingerprint == known
    files["config.json"] = files["config.json"][:-1]
    (tmp_path / "changed").mkdir()
    with pytest.raises(ValueError, match="the files that arrived"):
        unpack(files, tmp_path / "changed", known)


@pytest.mark.parametrize(("workers", "lengths"), [(1, [5]), (2, [1, 128, 3] * 50), (3, [100] * 1000)])
def test_each_text_is_in_one_chunk_and_chunks_are_alike(workers: int, lengths: list[int]) -> None:
    chunks = list(clusters._chunks(np.array(lengths), workers))
    assert sorted(i for chunk in chunks for i in chunk) == list(range(len(lengths)))
    tokens = [sum(lengths[i] for i in chunk) for chunk in chunks]
    assert max(tokens) <= clusters.CHUNK_TOKENS[1] + 128
    if len(chunks) > 1:
        assert max(tokens[:-1]) - min(tokens[:-1]) <= 2 * 128


def test_without_ray_the_audit_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "find_spec", lambda name: None)
    with pytest.raises(AuditError, match=r"pip install 'pytest-model-audit\[ray\]'"):
        Cluster(AuditPolicy(engine="ray"), "cpu")
