# Needs Python 3.11 or later and make; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint types layers coverage bench clean

demo: .venv/demo-ready ## a day of both markets on the sandbox
	$(BIN)/kiwoom-async demo

test: .venv/dev-ready ## the tests, on asyncio and trio
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not alone"
	$(BIN)/python -m pytest -m alone
	$(BIN)/python -m pytest -n auto --dist loadfile --compiled -k "asyncio and not proxy" -m "not alone" $(OVER_HTTP)

# What judges httpx's transport judges the compiled one, too; it knows no proxies and no trio.
OVER_HTTP := $(addprefix tests/test_,transport.py faults.py secrets.py lifetime.py client.py nothing_lost.py)

lint: .venv/dev-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev-ready
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

layers: .venv/dev-ready ## who may import whom
	$(BIN)/python -m pytest -q tests/test_layers.py

PURE := kiwoom_async/_body.py,kiwoom_async/_redaction.py,kiwoom_async/_estimate.py,kiwoom_async/_events.py,kiwoom_async/program_trades.py,kiwoom_async/_endpoint.py,kiwoom_async/_pages.py,kiwoom_async/_tabular.py,kiwoom_async/_notebook.py,kiwoom_async/_continuation.py,kiwoom_async/_protocol.py,kiwoom_async/_wire.py,kiwoom_async/_msgspec.py,kiwoom_async/_columns.py,kiwoom_async/_policy.py,kiwoom_async/_errors.py

# What the pure half promises is tested here; the other tests add minutes, and no branch of it.
ITS_TESTS := $(addprefix tests/test_,program_trades.py wire.py quick_rows.py protocol.py cursor.py policy.py properties.py estimate.py events.py transport.py nothing_lost.py tables.py)

coverage: .venv/dev-ready ## every branch of the pure half
	$(BIN)/coverage run -m pytest -q -k "not trio" $(ITS_TESTS)
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

.venv/dev-ready: .venv/python-ready pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
