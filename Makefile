# Two commands do everything on a fresh machine with Python 3.11 to 3.13: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(CURDIR)/$(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test check bench soak docs lock clean

demo: $(READY)  ## scripted callers with recorded speech against the stock sales policy
	$(BIN)/offhook demo

test: check  ## static checks, then every test that this machine can run
	$(BIN)/pytest -q

check: $(READY)  ## formatting, lint, types, architecture
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	MYPYPATH=$(VENV)/namespace $(BIN)/mypy -p offhook
	$(BIN)/pytest -q tests/architecture

bench: $(READY)  ## every benchmark; DATA=folder adds those on the field's data; see tests/benchmarks/README.md
	$(BIN)/python tests/benchmarks/all.py $(if $(DATA),--data $(DATA))

soak: $(READY)  ## what takes too long for every day: the oldest and newest Ray, 20,000 calls through re-used processes
	$(BIN)/python tests/soak/ray_versions.py
	$(BIN)/python tests/soak/short_calls.py

docs: $(READY)  ## write the generated diagrams and explained calls anew
	$(BIN)/python tests/architecture/diagrams.py --write
	$(BIN)/python tests/architecture/explained.py --write

lock:  ## resolve pyproject.toml anew into the hash-pinned requirements.txt
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--extra speech --extra dev --extra redis pyproject.toml -o requirements.txt

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "offhook needs Python 3.11 to 3.13; say which with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --require-hashes -r requirements.txt
	$(BIN)/pip install -q --no-deps -e .
	mkdir -p $(VENV)/namespace/offhook # mypy cannot follow an editable install; it reads the layers through this folder
	for layer in policies actors cluster serve; do ln -sfn ../../../$$layer $(VENV)/namespace/offhook/$$layer; done
	ln -sfn ../../../serve/testing $(VENV)/namespace/offhook/testing
	touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
