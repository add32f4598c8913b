# make test   set up .venv and run every check; the last line is the test runner's summary
# make demo   set up .venv and decide the example cases
# make bench  set up .venv and print the benchmark figures
#
# Needs Python 3.11 or 3.12 with headers and a C compiler. Choose one with PYTHON=…

PYTHON ?= $(shell scripts/find-python)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup test demo bench wheel clean

setup: $(READY)

$(READY): requirements.lock pyproject.toml scripts/find-python
	@rm -f $@
	@test -x $(BIN)/python || { scripts/find-python $(PYTHON) >/dev/null && $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

test: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/check

demo: $(READY)
	$(BIN)/eligibility decide examples/*.yaml

bench: $(READY)
	$(BIN)/python -m benchmarks.engines

wheel: $(READY)
	$(BIN)/python -m build --wheel --no-isolation

clean:
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
