"""The public base of whatever answers texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Classifier(ABC):
    """Whatever answers texts, as ``[model] source = "module:name"`` names it: an object, its class, or a factory.

    Beside what stands here it may have ``embed(texts)``, a row of numbers for each text: what the model makes of a text
    before it decides. Without it, nobody can be told from embeddings, and such probes are not assessed.

    Attributes
    ----------
    labels : sequence of str
        Class names, in the order of the columns that :meth:`predict` gives.
    files : sequence of str or Path
        What the answers depend on besides the code: weights, vocabularies. With the code, their SHA-256 are the
        model's fingerprint, by which its answers are kept for later audits. Relative ones lie beside the policy.
    fingerprint : str or None
        In the place of that: any text that is another whenever an answer may be another, such as a version. Without
        either, answers are kept for one audit only.
    folder : str or Path or None
        Where the model's card, ``README.md``, stands.
    """

    labels: Sequence[str] = ()
    files: Sequence[str | Path] = ()
    fingerprint: str | None = None
    folder: str | Path | None = None

    @abstractmethod
    def predict(self, texts: list[str]) -> ArrayLike | Sequence[str]:
        """A row of probabilities for each text, or, of a model that has none, a label for each.

        Parameters
        ----------
        texts : list of str, n of them
            Any texts, empty and hostile ones too.

        Returns
        -------
        array of float, shape (n, classes), or sequence of str, length n
        """
