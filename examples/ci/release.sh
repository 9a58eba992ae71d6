#!/usr/bin/env bash
# A release gate in plain shell: exit status 0 only where every gate of the policy holds.
#   MODEL=models/candidate BASELINE=audits/last-release bash release.sh [more arguments for pytest]
set -euo pipefail

out="${OUT:-reports}"
pytest "${SUITES:-suites/}" --audit-complete --audit-out "$out" --junitxml "$out/junit.xml" \
  ${POLICY:+--audit-policy "$POLICY"} ${MODEL:+--audit-model "$MODEL"} \
  ${BASELINE:+--audit-baseline "$BASELINE"} "$@"

# Where a gated test was deselected the audit is incomplete, whatever the arguments make of the exit status.
python -c 'import json, sys; sys.exit(json.load(open(sys.argv[1]))["verdict"] != "pass")' "$out/audit.json"
