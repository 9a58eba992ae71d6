"""What a process does once for all audits that are forked from it: import what comes late, and look at the machine."""

import scipy.io  # noqa: F401
import transformers.models.bert.modeling_bert  # noqa: F401
import xdist.plugin  # noqa: F401

import tests.test_output  # noqa: F401
from audit.energy import Meter

Meter("DEU").place  # noqa: B018
