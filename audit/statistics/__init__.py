"""Intervals: what the evidence supports, as plain functions from counts and arrays to (estimate, low, high).

Every verdict rests on one of these. They know neither gates nor models. The bounds are two-sided, so each side errs
with half of ``1 - confidence``.
"""

from audit.statistics.calibration import (
    PER_BIN,
    Bins,
    calibration_error,
    equal_mass,
    expected_calibration_error,
    reliability,
)
from audit.statistics.clusters import (
    ENOUGH_CLUSTERS,
    ClusteredInterval,
    cluster_ids,
    clustered_error,
    clustered_mean,
    clustered_proportion,
    resampled,
)
from audit.statistics.confusion import (
    balanced_accuracy,
    balanced_accuracy_of,
    confusion_bootstrap,
    exact_balanced_accuracy,
    exact_macro_f1,
    exact_mcc,
    macro_f1,
    macro_f1_of,
    mcc,
    mcc_of,
    too_empty,
)
from audit.statistics.epsilon import epsilon_lower_bound
from audit.statistics.extremes import gap, gaps, largest, smallest, smallest_proportion, smallest_proportions
from audit.statistics.intervals import Array, Bounds, Interval, as_interval, normal_quantile, quotient, shared_out
from audit.statistics.order import LAGS, SerialCorrelation, serial_correlation
from audit.statistics.prevalence import prevalence
from audit.statistics.proportions import (
    difference,
    discordant,
    mcnemar,
    mean_paired_difference,
    paired_difference,
    paired_differences,
    proportion,
    proportions,
)
from audit.statistics.quantiles import enough_for_quantile, quantile, ratio_of_quantiles
from audit.statistics.roc import OperatingPoints, Trial, clustered_auc, operating_points, roc_points
from audit.statistics.scores import auc, macro_auc, mean
from audit.statistics.settling import (
    Settling,
    chance_to_settle,
    gap_to_settle,
    proportion_to_settle,
    sample_to_settle,
    smallest_to_settle,
)

__all__ = [
    "ENOUGH_CLUSTERS",
    "LAGS",
    "PER_BIN",
    "Array",
    "Bins",
    "Bounds",
    "ClusteredInterval",
    "Interval",
    "OperatingPoints",
    "SerialCorrelation",
    "Settling",
    "Trial",
    "as_interval",
    "auc",
    "balanced_accuracy",
    "balanced_accuracy_of",
    "calibration_error",
    "chance_to_settle",
    "cluster_ids",
    "clustered_auc",
    "clustered_error",
    "clustered_mean",
    "clustered_proportion",
    "confusion_bootstrap",
    "difference",
    "discordant",
    "enough_for_quantile",
    "epsilon_lower_bound",
    "equal_mass",
    "exact_balanced_accuracy",
    "exact_macro_f1",
    "exact_mcc",
    "expected_calibration_error",
    "gap",
    "gap_to_settle",
    "gaps",
    "largest",
    "macro_auc",
    "macro_f1",
    "macro_f1_of",
    "mcc",
    "mcc_of",
    "mcnemar",
    "mean",
    "mean_paired_difference",
    "normal_quantile",
    "operating_points",
    "paired_difference",
    "paired_differences",
    "prevalence",
    "proportion",
    "proportion_to_settle",
    "proportions",
    "quantile",
    "quotient",
    "ratio_of_quantiles",
    "reliability",
    "resampled",
    "roc_points",
    "sample_to_settle",
    "serial_correlation",
    "shared_out",
    "smallest",
    "smallest_proportion",
    "smallest_proportions",
    "smallest_to_settle",
    "too_empty",
]
