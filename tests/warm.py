"""What each process that runs tests imports once, and keeps.

``pytester`` takes back what an audit inside the test process imported: a second import costs a second, extension
modules do not bear one, nor do Babel's patterns of numbers, which it keeps by the class of the first.
"""

import importlib
import pkgutil

import babel.dates
import babel.messages.mofile
import babel.messages.pofile
import babel.numbers  # noqa: F401
import codecarbon  # noqa: F401
import datasets  # noqa: F401
import evaluate  # noqa: F401
import fairlearn.metrics  # noqa: F401
import hypothesis  # noqa: F401
import scipy.io
import scipy.optimize
import scipy.special
import scipy.stats  # noqa: F401
import statsmodels.stats.proportion  # noqa: F401
import torch  # noqa: F401
import transformers.models.bert.modeling_bert  # noqa: F401
import xdist.plugin  # noqa: F401
from transformers import (  # noqa: F401
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    BertTokenizerFast,
    DataCollatorWithPadding,
    Trainer,
)

import audit
from audit.energy.meter import Meter

for _module in pkgutil.walk_packages(audit.__path__, "audit."):
    if _module.name != "audit.__main__":
        importlib.import_module(_module.name)
# CodeCarbon imports the rest, and looks for what draws power here, when it is first asked.
Meter("DEU").place  # noqa: B018
