"""How much accuracy each kind of perturbation leaves, by strength, for the model and the data of a policy.

    AUDIT_TEST_DATA=… python -m benchmarks.probes.perturbations examples/sst2.toml --size 600
    AUDIT_TEST_DATA=… python -m benchmarks.probes.perturbations examples/imdb.toml --size 1000
    AUDIT_TEST_DATA=… python -m benchmarks.probes.perturbations examples/sst2.toml --model ./my-bert

A model that the policy's recipe makes is trained, or taken from the cache.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from audit.core.cache import default_folder
from audit.core.errors import NotAssessed
from audit.core.progress import Progress
from audit.probes.security.perturbation import perturbation
from audit.run.options import Options
from audit.run.session import Session
from audit.text.disturbances import KINDS, STRENGTHS, disturb

SPEED_TEXTS = 2000


def main() -> None:
    """Print the Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("policy")
    parser.add_argument("--model", help="audit this folder as it is")
    parser.add_argument("--size", type=int, default=1000, help="texts for each kind at most; 0: all")
    options = parser.parse_args()
    session = Session(
        Options(Path.cwd(), options.policy, options.model, "reports", None, "auto", default_folder(), ""),
        (),
        Progress(),
    )
    scorer, test = session.models.scorer(session.models.model), session.inputs.test_data
    predictions = scorer.predict(test.texts).on(test)
    print("| kind | texts | as they are | strength 1 | strength 2 | strength 3 | lost at 2 | texts a second |")
    print("| --- " * 8 + "|")
    for kind in KINDS:
        speed = f"{_speed(test.texts, kind):,.0f}"
        try:
            found = perturbation(scorer, predictions, kind, size=options.size)
        except NotAssessed as reason:
            print(f"| `{kind}` | not assessed: {reason} | | | | | | {speed} |")
            continue
        left = [f"{value:.3f} [{low:.3f}, {high:.3f}]" for _, _, value, low, high, *_ in found.tables[0].rows]
        lost = f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}]"
        print(f"| `{kind}` | {found.n:,} | {' | '.join(left)} | {lost} | {speed} |")


def _speed(texts: tuple[str, ...], kind: str) -> float:
    """Texts disturbed in a second of processor time, over all strengths."""
    chosen = texts[:SPEED_TEXTS]
    disturb(chosen[0], kind, 1)
    started = time.process_time()
    for strength in STRENGTHS:
        for text in chosen:
            disturb(text, kind, strength)
    return len(STRENGTHS) * len(chosen) / max(time.process_time() - started, 1e-9)


if __name__ == "__main__":
    main()
