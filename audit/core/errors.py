"""The ways in which an audit tells its user that something outside the code is in the way."""


class AuditError(Exception):
    """A mistake in what the audit was given: policy, file, column, label, model, folder.

    The message is one sentence that names the thing, says what was expected and what to do. The plugin turns it
    into exit status 4 and the command line into exit status 4 too; neither shows a traceback.
    """


class NotFiniteError(AuditError):
    """A network answered with NaN or infinity, which no class may be read from: `argmax` of it is the first one."""


class NotAssessed(Exception):  # noqa: N818  (it is an outcome, not an error)
    """The evidence that a probe needs is missing; the message says what to supply.

    Parameters
    ----------
    reason : str
        A :class:`~audit.core.sentences.Sentence`, so that reports can say it in other languages.
    arises : bool
        False where the question does not arise for this model (neutral sentences, of a model without a neutral class):
        then only a gate on this very id makes the test fail, not one on the id without bracket.
    """

    def __init__(self, reason: str, *, arises: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.arises = arises
