"""What the fused form of AdamW saves of a training step on a processor, against the plain form.

    python -m benchmarks.speed.optimizer      # one thread; needs the encoder that `make minilm` installs

MiniLM on batches of 32 texts of 26 tokens, which is what SST-2 has on average. Both forms start from the same weights
and take steps on the same batches in turn, so that the machine's moods hit both alike; medians over the rounds of the
processor's time, which other work hardly lengthens, for the optimizer's own part and for the whole step. How far apart
their weights are afterwards is told too.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from audit.core.cache import Cache
from audit.models import minilm

BATCH, TOKENS, ROUNDS, RATE = 32, 26, 12, 5e-5
FORMS = {"plain": False, "fused": True}


def start(folder: Path, fused: bool) -> tuple[Any, Any]:
    """Network and optimizer; the plain form is what `adamw_torch` takes on a processor."""
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(0)
    network = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2).eval()  # no dropout
    return network, torch.optim.AdamW(network.parameters(), lr=RATE, eps=1e-6, weight_decay=0.0, fused=fused)


def measure(folder: Path, rounds: int) -> tuple[dict[str, tuple[float, float]], float]:
    """Seconds of a step and of the optimizer's part by form, medians; largest difference of a weight at the end."""
    import torch

    torch.set_num_threads(1)  # else the processor's time is that of all threads
    made = {form: start(folder, fused) for form, fused in FORMS.items()}
    took: dict[str, list[tuple[float, float]]] = {form: [] for form in FORMS}
    for i in range(rounds + 1):  # the first is to warm up
        texts, labels = torch.randint(1000, 20_000, (BATCH, TOKENS)), torch.randint(0, 2, (BATCH,))
        for form, (network, optimizer) in made.items():
            begun = time.process_time()
            network(input_ids=texts, labels=labels).loss.backward()
            computed = time.process_time()
            optimizer.step()
            optimizer.zero_grad()
            done = time.process_time()
            if i:
                took[form].append((done - begun, done - computed))
    plain, fused = (network.state_dict() for network, _ in made.values())
    apart = max(float((plain[name] - fused[name]).abs().max()) for name in plain if plain[name].is_floating_point())
    medians = {
        form: (statistics.median(step for step, _ in each), statistics.median(part for _, part in each))
        for form, each in took.items()
    }
    return medians, apart


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        medians, apart = measure(minilm.locate(Cache(Path(name)), None), asked.rounds)
    print("| AdamW | a step, ms | of it the optimizer, ms |\n| --- | --- | --- |")
    for form, (step, part) in medians.items():
        print(f"| {form} | {1000 * step:.0f} | {1000 * part:.0f} |")
    step, part = (before / after for before, after in zip(medians["plain"], medians["fused"], strict=True))
    print(
        f"\nFused, the optimizer is {part:.1f} times as fast and the whole step {step:.2f} times. After "
        f"{asked.rounds + 1} steps at a rate of {RATE:g} no weight differs by more than {apart:.1g}."
    )


if __name__ == "__main__":
    main()
