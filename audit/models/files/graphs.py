"""ONNX files read as data: which operators they use, where their weights lie; nothing of them is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from audit.core.errors import AuditError
from audit.text.redaction import printable

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

SUFFIX = ".onnx"
LARGEST = 16 << 30  # bytes of a file and its external data, beyond any classifier that runs on a single machine
_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training"}
# Built into ONNX Runtime itself, which needs no library for them.
_DOMAINS |= {"com.microsoft", "com.microsoft.nchwc"}
# Types whose tensors are weights; others are shapes and masks.
_WEIGHTS = ("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE", "INT8", "UINT8", "INT4", "UINT4")


class DamagedError(AuditError):
    """A file that is no whole ONNX model."""


@dataclass(frozen=True)
class Graph:
    """What an ONNX file holds, but for weights that lie outside of it.

    Parameters
    ----------
    model : ModelProto
    """

    model: ModelProto

    @classmethod
    def read(cls, path: Path) -> Graph:
        """Parse a file.

        Raises
        ------
        DamagedError
            If it is none.
        ImportError
            If onnx is not installed.
        """
        import onnx

        try:
            model = onnx.load(path, load_external_data=False)
        except Exception as error:  # what stands in the file decides what protobuf raises
            raise DamagedError(f"{printable(path)}: not a whole ONNX file.") from error
        if not model.graph.node:
            raise DamagedError(f"{printable(path)}: not a whole ONNX file.")
        return cls(model)

    @property
    def foreign(self) -> list[str]:
        """Domains of operators that need a library of their own, sorted."""
        own = {function.domain for function in self.model.functions}
        return sorted({node.domain for node in self._nodes} - _DOMAINS - own)

    @property
    def places(self) -> list[str]:
        """Paths of files that hold weights outside of the file, as it names them, sorted."""
        places = {entry.value for tensor in self._tensors for entry in tensor.external_data if entry.key == "location"}
        return sorted(places)

    @property
    def parameters(self) -> int:
        """Number of weights, whatever their precision."""
        from onnx import TensorProto

        weights = {TensorProto.DataType.Value(name) for name in _WEIGHTS}
        return sum(prod(each.dims) for each in self.model.graph.initializer if each.dims and each.data_type in weights)

    @property
    def scales_by_batch(self) -> bool:
        """Whether the scale of what is computed in few bits is set by all texts of a batch together."""
        return any(node.op_type.startswith("Dynamic") for node in self._nodes)

    @property
    def is_quantised(self) -> bool:
        """Whether it computes in whole numbers of few bits."""
        return any("Quantize" in node.op_type or node.op_type.endswith(("Integer", "NBits")) for node in self._nodes)

    def made_by(self, output: str) -> str:
        """The operator that gives an output; empty where none does."""
        return next((node.op_type for node in self.model.graph.node if output in node.output), "")

    @cached_property
    def _nodes(self) -> list[NodeProto]:
        inner = [node for graph in _within(self.model.graph.node) for node in graph.node]
        functions = [node for function in self.model.functions for node in function.node]
        of_functions = [node for graph in _within(functions) for node in graph.node]
        return [*self.model.graph.node, *inner, *functions, *of_functions]

    @property
    def _tensors(self) -> Iterator[TensorProto]:
        """All tensors, wherever they stand: with the graphs, or as constants of operators."""
        functions = [node for function in self.model.functions for node in function.node]
        for graph in (self.model.graph, *_within([*self.model.graph.node, *functions])):
            yield from graph.initializer
            yield from _of_sparse(graph.sparse_initializer)
        for node in self._nodes:
            for attribute in node.attribute:
                yield from (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors)
                single = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
                yield from _of_sparse([*single, *attribute.sparse_tensors])


def _within(nodes: Iterable[NodeProto]) -> Iterator[GraphProto]:
    """Graphs that stand within operators, such as the branches of a condition."""
    for node in nodes:
        for attribute in node.attribute:
            for graph in _graphs(attribute):
                yield graph
                yield from _within(graph.node)


def _graphs(attribute: AttributeProto) -> list[GraphProto]:
    return [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _of_sparse(tensors: Iterable[SparseTensorProto]) -> Iterator[TensorProto]:
    for each in tensors:
        yield from (each.values, each.indices)
