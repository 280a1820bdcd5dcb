# make run, make test; make help lists the rest.
# Needs Python 3.11 to 3.14, nothing else. How it works: deploy/README.md

PYTHON ?= python3
ARGS ?=
BROWSER ?= 1
UP = "$(PYTHON)" deploy/local/up.py

# Every variable of deploy/README.md can be given as a word (make run PORT=8001) or in the
# environment. A word is taken as it stands: make would read the $$ of a password as its own.
$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),\
	$(eval override export $(name) := $$(value $(name)))))

.DEFAULT_GOAL := help
.PHONY: help run test coverage soak check types format shell status stop clean
# A recipe's command line says less than what it prints.
.SILENT:

help: ## this list
	awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile
	echo
	echo '  make run PORT=8001 HOST=0.0.0.0 DEBUG=1   WEB=4 runs so many server processes'
	echo '                                            DATABASE_URL=… REDIS_URL=… use servers of yours'
	echo '  make test ARGS="tests/products -k stock"  PYTHON=python3.12 chooses the Python'
	echo '  make test BROWSER=0                       leaves out what needs a browser'

run: ## the shop: installs, starts PostgreSQL and Redis, opens http://localhost:8000
	exec $(UP) run

test: ## the checks, then every test, on servers of their own (ARGS="…" goes to pytest)
	if [ "$(BROWSER)" != 0 ]; then exec $(UP) browser; fi
	exec $(UP) --test exec python deploy/local/check.py
	exec $(UP) --test exec python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder \
		$(if $(filter 0,$(BROWSER)),--ignore tests/browser) $(ARGS)

coverage: ## the lines and branches that no test runs, lowest files first (ARGS="tests/users")
	rm -rf .local/coverage && mkdir -p .local/coverage
	exec $(UP) --test exec python -m coverage run -m pytest -n 0 $(ARGS)
	.venv/bin/python -m coverage combine --quiet
	.venv/bin/python -m coverage report

soak: ## ten minutes of sockets and orders against a shop of its own (ARGS="--duration 60 …")
	exec $(UP) --test exec python tests/load/soak.py $(ARGS)

check: ## flake8, mypy, isort, black, djade, oxlint, migrations, check --deploy
	exec $(UP) --test exec python deploy/local/check.py

types: ## mypy, over every module
	exec $(UP) --test exec python -m mypy

format: ## isort, black and djade, over every file
	exec $(UP) --test install
	.venv/bin/python -m isort --quiet .
	.venv/bin/python -m black --quiet .
	find templates -name '*.html' | xargs .venv/bin/djade --target-version 5.2 || true # 1: it changed some

shell: ## manage.py shell, on the running shop's data
	exec $(UP) exec python manage.py shell

status: ## what is running here
	-exec $(UP) status

stop: ## stops the shop, or what a killed one left behind
	exec $(UP) stop

clean: ## stops everything and removes .venv and .local, data included
	exec $(UP) clean
