# Needs Python 3.11 or later and make; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lowest pure lint types layers coverage bench clean

demo: .venv/demo-ready ## a day of both markets on the sandbox
	$(BIN)/kiwoom-async demo

test: .venv/dev-ready ## the tests, on asyncio and trio
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not alone"
	$(BIN)/python -m pytest -m alone
	$(BIN)/python -m pytest -n auto --dist loadfile --engine fast -k "not trio" -m "not alone" $(BOTH_ENGINES)

# The tests of the default engine judge FastEngine, too; it has no trio.
BOTH_ENGINES := tests/protocol tests/catalog tests/tables tests/io

lowest: .venv/lowest-ready ## the fast tests with the lowest versions that pyproject.toml allows
	.venv/lowest/bin/python -m pytest -q -n auto --dist loadfile -k "not trio" -m "not alone" \
		$(FAST) $(addprefix --ignore tests/,$(SLOW))

FAST := $(addprefix tests/,protocol catalog speed tables io cli archive report)
# Most of their time goes into starting programs and drawing, whatever the versions.
SLOW := cli/test_sharing_command.py cli/test_archive_command.py cli/test_command_line.py \
	cli/test_findings.py cli/test_report_command.py archive/test_killed_fetch.py \
	report/test_readability.py

pure: .venv/pure-ready ## the tests of the pure half, without any extra installed
	.venv/pure/bin/python -m pytest -q -n auto -k "not trio" tests/protocol tests/catalog

lint: .venv/dev-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev-ready
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

layers: .venv/dev-ready ## who may import whom
	$(BIN)/python -m pytest -q tests/project/test_layers.py

PURE := kiwoom_async/_protocol/*,kiwoom_async/catalog/*,kiwoom_async/errors.py,kiwoom_async/events.py

coverage: .venv/dev-ready ## every branch of the pure half
	$(BIN)/coverage run -m pytest -q -k "not trio" tests/protocol tests/catalog tests/speed tests/tables tests/io
	$(BIN)/coverage report --include '$(PURE)' --fail-under 100

bench: .venv/dev-ready
	$(BIN)/python benchmarks/decode.py
	$(BIN)/python benchmarks/walk.py
	$(BIN)/python benchmarks/pace.py
	$(BIN)/python benchmarks/pace.py real
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/picture.py

clean:
	rm -rf .venv

.venv/python-ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/demo-ready: .venv/python-ready pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli,sandbox]'
	@touch $@

.venv/lowest-ready: .venv/python-ready pyproject.toml
	$(PYTHON) -m venv .venv/lowest
	.venv/lowest/bin/python -m pip install --quiet --disable-pip-version-check --editable . \
		$$($(PYTHON) tests/lowest_versions.py) $(TEST_TOOLS)
	@touch $@

TEST_TOOLS := fastapi hypothesis pytest pytest-xdist trio trustme uvloop

.venv/pure-ready: .venv/python-ready pyproject.toml
	$(PYTHON) -m venv .venv/pure
	.venv/pure/bin/python -m pip install --quiet --disable-pip-version-check --editable . \
		hypothesis pytest pytest-xdist
	@touch $@

.venv/dev-ready: .venv/python-ready pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
