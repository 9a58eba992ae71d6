"""How a model's outputs are read as the classes of an audit: sigmoid heads, classes that are merged or left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import AuditError
from audit.core.records import ReadingRecord
from audit.text.redaction import printable

if TYPE_CHECKING:
    import torch

Head = Literal["softmax", "sigmoid", "regression"]
# From a model's own class to that which it counts as, to several that share it, or to none.
Merge = Mapping[str, str | tuple[str, ...]]


@dataclass(frozen=True)
class Reading:
    """From outputs to classes.

    Parameters
    ----------
    own : tuple of str
        The model's own classes; of one output the two that it says no and yes to.
    classes : tuple of str
        Those of the audit, in the order in which the own ones come to them.
    shares : tuple of tuples of float, shape (own, classes)
        How much of each own class goes to each class; nowhere more than 0 where it is left out.
    head : str
        ``softmax``: the outputs are of classes that rule each other out. ``sigmoid``: each is a yes or a no of its own,
        and the probabilities are shared out among the classes; one output alone is that of the second class.
        ``regression``: the one output is a score, and the answer a label alone.
    threshold : float
        Of two classes the second is the answer where its probability is above this.
    cutpoints : tuple of float
        Of a score: where one own class ends and the next begins.

    Notes
    -----
    Where the threshold is not a half, the odds of the second class are divided by those of the threshold: the class
    with the larger probability is then the answer everywhere, to attacks and explanations too, and every order of texts
    by score stays. :func:`stated` gives the probabilities of the model back.
    """

    own: tuple[str, ...]
    classes: tuple[str, ...]
    shares: tuple[tuple[float, ...], ...]
    head: Head = "softmax"
    threshold: float = 0.5
    cutpoints: tuple[float, ...] = ()

    @classmethod
    def of(
        cls,
        own: Sequence[str],
        source: str,
        merge: Merge | None = None,
        head: Head = "softmax",
        threshold: float = 0.5,
        cutpoints: Sequence[float] = (),
    ) -> Reading:
        """How the policy reads a model.

        Parameters
        ----------
        own : sequence of str
            Its classes.
        source : str
            As the policy calls it.
        merge, head, threshold, cutpoints
            Of the policy.

        Raises
        ------
        AuditError
            If a key is none of its classes, or fewer than two classes are left, or a threshold is of more than two.
        """
        merge = merge or {}
        if unknown := next((name for name in merge if name not in own), None):
            raise AuditError(
                f"model '{source}': [model] merge names '{printable(unknown, 40)}', which is none of its classes: "
                f"{_listed(own)}."
            )
        goes = {name: _several(merge.get(name, name)) for name in own}
        classes = tuple(dict.fromkeys(name for names in goes.values() if len(names) == 1 for name in names))
        if lost := next((name for names in goes.values() for name in names if name not in classes), None):
            raise AuditError(
                f"model '{source}': [model] merge shares a class out to '{printable(lost, 40)}', which no class counts "
                f"as; expected one of: {_listed(classes)}."
            )
        if len(classes) < 2:
            raise AuditError(
                f"model '{source}': [model] merge leaves {len(classes)} of its classes ({_listed(own)}); leave two or "
                f"more."
            )
        shares = tuple(
            tuple((each in goes[name]) / len(goes[name]) if goes[name] else 0.0 for each in classes) for name in own
        )
        if threshold != 0.5 and len(classes) > 2:
            raise AuditError(
                f"model '{source}': [model] threshold is of two classes, and there are {len(classes)} "
                f"({_listed(classes)}); leave it out, or leave two with merge."
            )
        return cls(tuple(own), classes, shares, head, threshold, tuple(cutpoints))

    @property
    def is_plain(self) -> bool:
        """Whether the outputs are the classes."""
        return self.head == "softmax" and self.own == self.classes and self.threshold == 0.5

    @property
    def merges(self) -> bool:
        """Whether classes are merged, shared out or left out."""
        return self.own != self.classes

    def record(self) -> ReadingRecord:
        """What the record says of it."""
        goes = {
            name: [each for each, share in zip(self.classes, shares, strict=True) if share]
            for name, shares in zip(self.own, self.shares, strict=True)
        }
        read: ReadingRecord = {"head": self.head, "classes": goes}
        if self.threshold != 0.5:
            read["threshold"] = self.threshold
        if self.cutpoints:
            read["cutpoints"] = list(self.cutpoints)
        return read

    def probabilities(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of the classes, from those of the own ones; (n, own) to (n, classes). NaN where all of a row is left out."""
        merged = rows.astype(np.float64) @ np.array(self.shares)
        if self.threshold != 0.5:
            merged = merged * [self.threshold, 1 - self.threshold]
        total = merged.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(merged, total, out=np.full_like(merged, np.nan), where=total > 0), dtype=np.float32)

    def logits(self, outputs: torch.Tensor) -> torch.Tensor:
        """Of the classes, whose softmax is their probabilities; shape (n, outputs) to (n, classes)."""
        import torch
        from torch.nn.functional import logsigmoid

        outputs = outputs.float()
        if self.head == "sigmoid" and outputs.shape[1] == 1:
            outputs = torch.cat([logsigmoid(-outputs), logsigmoid(outputs)], dim=1)
        elif self.head == "sigmoid":
            outputs = logsigmoid(outputs)
        if self.merges:
            weights = torch.tensor(self.shares, device=outputs.device).log()  # minus infinity where nothing goes
            outputs = torch.logsumexp(outputs[:, :, None] + weights, dim=1)
        if self.threshold != 0.5:
            outputs = outputs + torch.tensor([self.threshold, 1 - self.threshold], device=outputs.device).log()
        return outputs


def stated(rows: NDArray[np.float32], threshold: float) -> NDArray[np.float64]:
    """The probabilities that a model gives two classes, from those of a threshold's; shape (n, 2)."""
    own = rows.astype(np.float64) * [1 - threshold, threshold]
    return np.asarray(own / own.sum(axis=1, keepdims=True))


def _several(names: str | tuple[str, ...]) -> tuple[str, ...]:
    """The classes that an own one goes to."""
    return tuple(name for name in ((names,) if isinstance(names, str) else names) if name)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(printable(name, 40) for name in names[:8]) + (", …" if len(names) > 8 else "")
