"""What the shell and the user's home would change about a figure, kept from the libraries: the policy alone says it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Arithmetic in fewer bits than the policy's dtype, behind the back of PyTorch.
ARITHMETIC = (
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)
# Mixed precision, gradient accumulation, compilation, sharding: of a shell, or of `accelerate config` by its launcher.
TRAINING = ("ACCELERATE_",)


@contextmanager
def unset(*prefixes: str) -> Iterator[None]:
    """Take the environment variables with these prefixes away meanwhile; what the block sets of them goes after it."""
    former = _take(prefixes)
    try:
        yield
    finally:
        _take(prefixes)
        os.environ.update(former)


def _take(prefixes: tuple[str, ...]) -> dict[str, str]:
    return {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(prefixes)}
