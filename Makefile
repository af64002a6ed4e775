# Two commands for a fresh machine: `make demo` and `make test`. Each makes its own environment.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: demo examples test lint docs dist wheel-test clean
.PHONY: bench bench-all bench-programs bench-report bench-compare

# One stamp for each set of extras, renewed when pyproject.toml changes.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.extra-%: pyproject.toml | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --editable ".[$*]"
	@touch $@

## Fit, train and differentiate on real data.
demo: $(VENV)/.extra-demo
	$(RUN) docs/examples/demo.py

## Run each of the examples whole, and draw its picture anew.
examples: $(VENV)/.extra-demo
	for name in $(patsubst docs/examples/%.py,%,$(wildcard docs/examples/[a-z]*.py)); do \
		$(RUN) docs/examples/$$name.py --picture docs/examples/pictures/$$name.svg || exit 1; \
	done

## Run all tests: the library's, the docs' and the demo's, on both backends.
test: $(VENV)/.extra-test $(VENV)/.extra-demo
	OPENBLAS_NUM_THREADS=1 $(RUN) -m pytest -q -n 2
	OPENBLAS_NUM_THREADS=1 AUTOTRACE_BACKEND=numpy $(RUN) -m pytest -q -n 2 --ignore tests/kernels

## Check style and types.
lint: $(VENV)/.extra-lint
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

## Build the documentation, build/docs/html/index.html.
docs: $(VENV)/.extra-docs
	$(RUN) -m sphinx -q -E -W --keep-going -d build/docs/doctrees docs build/docs/html
	@echo "The pages: $(CURDIR)/build/docs/html/index.html"

## Make what is released, in dist/: a source distribution, and the wheel made of it.
dist: $(VENV)/bin/python
	rm -rf build/lib build/bdist.* dist
	$(RUN) -m pip install --quiet build
	$(RUN) -m build --outdir dist .

# TESTS: files and folders of tests/, and $$PACKAGE, the installed package, for its docstrings.
TESTS ?= . $$PACKAGE
WHEEL_TEST := build/wheel-test-$(notdir $(PYTHON))

## Test the wheel as users have it, without the source tree: `make wheel-test PYTHON=python3.12`,
## parts with `TESTS="core api/test_jit.py"`.
wheel-test:
	rm -rf build/lib build/bdist.* $(WHEEL_TEST)
	$(PYTHON) -m venv $(WHEEL_TEST)/venv
	$(WHEEL_TEST)/venv/bin/python -m pip install --quiet build
	$(WHEEL_TEST)/venv/bin/python -m build --outdir $(WHEEL_TEST)/dist .
	$(WHEEL_TEST)/venv/bin/python -m pip install --quiet "$$(echo $(WHEEL_TEST)/dist/*.whl)[test]"
	cp -r tests $(WHEEL_TEST)/tests
	cp pyproject.toml $(WHEEL_TEST)/
	cd $(WHEEL_TEST)/tests && \
	PACKAGE=$$(../venv/bin/python -c "import autotrace; print(autotrace.__path__[0])") && \
	../venv/bin/python -m pytest -q $(TESTS)

# PyTensor asks for an older Numba than pip installs for autotrace: an environment of its own.
PYTENSOR := $(VENV)/pytensor
$(PYTENSOR)/.installed: pyproject.toml
	$(PYTHON) -m venv $(PYTENSOR)
	$(PYTENSOR)/bin/python -m pip install --quiet "pytensor>=3"
	@touch $@

# Measuring needs the other libraries; looking at results does not.
BENCH_TOOLS := $(VENV)/.extra-test $(VENV)/.extra-bench $(PYTENSOR)/.installed
BENCH := BENCH_PYTENSOR=$(abspath $(PYTENSOR)/bin/python) $(RUN) -m pytest -q --benchmark-only
RESULTS := docs/benchmarks/results.json
PROGRAMS := docs/numpy_programs.json
REPORT := $(RUN) -m bench.report $(RESULTS) --readme README.md && \
	$(RUN) -m bench.pictures $(RESULTS)
# ONLY=name: the rows of that name, in the file that is there. CONTINUE=1: those it does not have.
# ARGS="--rounds 3 --libraries autotrace,jax": other options, see bench/conftest.py.
CHOICE = $(if $(ONLY),--keep -k "$(ONLY)") $(if $(CONTINUE),--missing) $(ARGS)

## Measure beside the other libraries, in about ten minutes: docs/benchmarks, README's table.
bench: $(BENCH_TOOLS)
	$(BENCH) bench/test_machine.py bench/test_rows.py --results $(RESULTS) $(CHOICE); \
	status=$$?; $(REPORT) && exit $$status

## The same with all rows, all libraries in each and more rounds, and comparisons in no table.
bench-all: $(BENCH_TOOLS)
	BENCH_TIME_LIMIT=600 $(BENCH) bench --ignore bench/test_numpy_programs.py --all \
		--results $(RESULTS) $(CHOICE); \
	status=$$?; $(REPORT) && exit $$status

## Run programs written for plain NumPy: docs/numpy_programs.json, and the page that it makes.
bench-programs: $(VENV)/.extra-test
	$(RUN) -m pytest -q --benchmark-only bench/test_numpy_programs.py \
		--programs $(PROGRAMS) $(CHOICE); \
	status=$$?; $(RUN) -m bench.programs $(PROGRAMS) && exit $$status

## Make the pages and pictures of the results that are there.
bench-report: $(VENV)/.extra-demo
	$(REPORT)
	$(RUN) -m bench.programs $(PROGRAMS)

## Fail if NEW is slower than OLD beyond noise: make bench-compare OLD=a.json NEW=b.json
bench-compare: | $(VENV)/bin/python
	$(RUN) -m bench.compare $(OLD) $(NEW)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache
