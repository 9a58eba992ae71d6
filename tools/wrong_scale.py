"""A broken quantisation: a folder of 8 bits whose scales of one layer are four times too large.

    python -m tools.wrong_scale PHONE BROKEN [--layer 3]

PHONE is what `python -m audit quantise` wrote. An audit by `examples/edge.toml` must fail the copy.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np

FACTOR = 4
# Of a layer of BERT: query, key, value, the attention's output, and the two of the feed-forward network.
OF_A_LAYER = 6


def spoil(network: Any, layer: int = 0) -> None:
    """Scale the weights of one layer in place.

    Parameters
    ----------
    network : onnx.ModelProto
        With the weights of its matrix products in 8 bits, as ONNX Runtime's dynamic quantisation leaves them.
    layer : int
        From 0, in the order of the graph.

    Raises
    ------
    ValueError
        If it has no such layer.
    """
    from onnx import numpy_helper

    tensors = {each.name: each for each in network.graph.initializer}
    inputs = (name for node in network.graph.node if node.op_type == "MatMulInteger" for name in node.input)
    scales = [name.replace("_quantized", "_scale") for name in inputs if name in tensors and "_quantized" in name]
    chosen = scales[OF_A_LAYER * layer : OF_A_LAYER * (layer + 1)]
    if len(chosen) < OF_A_LAYER:
        raise ValueError(f"layer {layer} of {len(scales) // OF_A_LAYER} in 8 bits")
    for name in chosen:
        scaled = numpy_helper.to_array(tensors[name]) * np.float32(FACTOR)
        tensors[name].CopyFrom(numpy_helper.from_array(scaled, name))


def main() -> None:
    """Write the copy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phone", type=Path)
    parser.add_argument("broken", type=Path, help="a folder that is not there yet")
    parser.add_argument("--layer", type=int, default=0)
    asked = parser.parse_args()
    import onnx

    (path,) = Path(shutil.copytree(asked.phone, asked.broken)).rglob("*.onnx")
    network = onnx.load(path)
    spoil(network, asked.layer)
    onnx.save(network, path)


if __name__ == "__main__":
    main()
