"""What a process imports once for all audits that are forked from it."""

import scipy.io  # noqa: F401
import transformers.models.bert.modeling_bert  # noqa: F401
import xdist.plugin  # noqa: F401

import tests.test_output  # noqa: F401
