# What one does with waymark. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
DEMO_SITES ?= 5000
FUZZ_RUNS ?= 2000000
FUZZ_CALLS ?= 50000
POWER_CYCLES ?= 100000
DAMAGE_RUNS ?= 50000
KILL_CYCLES ?= 2000
REDIS_CYCLES ?= 500
export DEMO_SITES
export BENCH_SITES
export MUTANTS

.PHONY: help run setup dashboard test check fuzz torture mutants bench bench-10m bench-compare bench-all dist clean

help: ## List the targets.
	@grep -E '^[a-z0-9-]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/\1|\2/' | awk -F '|' '{ printf "make %-14s %s\n", $$1, $$2 }'

run: ## Build everything, start the server on 127.0.0.1:8642 and fill it with a demo of DEMO_SITES sites (5000).
	@echo '1/6 tools'
	@scripts/install-tools run
	@echo '2/6 data: GeoIP, places and addresses (about 170 MB the first time)'
	@scripts/fetch-data
	@echo '3/6 dashboard'
	@scripts/build-dashboard
	@echo '4/6 server: cargo build --release (some minutes the first time)'
	@cargo build --release
	@echo '5/6 gazetteer, networks'
	@scripts/build-gazetteer target/release/waymark
	@scripts/build-asn target/release/waymark
	@echo '6/6 start'
	@exec scripts/run target/release/waymark

setup: ## Install tools and fetch data for the tests.
	@TIMEFORMAT='==> %0R s: tools'; time scripts/install-tools test
	@TIMEFORMAT='==> %0R s: data'; time scripts/fetch-data

dashboard: ## Build dashboard/dist, which the server embeds.
	@scripts/install-tools run
	@TIMEFORMAT='==> %0R s: dashboard'; time scripts/build-dashboard

test: setup dashboard ## Run all tests: Rust, Python clients, browser and tile clients.
	@scripts/test

check: dashboard ## Format, lints, the rules of the tree, documentation, protos.
	@scripts/install-node tests/e2e
	cargo fmt --check
	cargo clippy --all-targets --quiet -- -D warnings
	cargo test --quiet --test tidy
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --document-private-items --quiet
	tests/e2e/node_modules/.bin/buf lint proto
	PYTHONPYCACHEPREFIX=target/pycache python3 -m py_compile benches/report.py scripts/mutants
	@echo 'check: everything is in order'

fuzz: setup dashboard ## Look for inputs that crash or hang: FUZZ_RUNS mutants of files, filters, tokens, requests (2000000), FUZZ_CALLS calls (50000).
	WAYMARK_FUZZ_RUNS=$(FUZZ_RUNS) cargo test --release --lib fuzz -- --nocapture
	cargo build --release
	@scripts/build-gazetteer target/release/waymark
	@scripts/build-asn target/release/waymark
	WAYMARK_BIN=$(CURDIR)/target/release/waymark WAYMARK_FUZZ_CALLS=$(FUZZ_CALLS) \
	  .venv/bin/python -m pytest -q -s tests/e2e/python/test_fuzz_rpc.py

torture: setup dashboard ## Lose power 100000 times, damage 50000 files, kill the server 2000 times and Redis 500 times: over an hour (POWER_CYCLES, DAMAGE_RUNS, KILL_CYCLES, REDIS_CYCLES).
	WAYMARK_POWER_CYCLES=$(POWER_CYCLES) WAYMARK_DAMAGE_RUNS=$(DAMAGE_RUNS) \
	  cargo test --release --lib store::embedded::torture -- --nocapture
	WAYMARK_TORTURE_REDIS=$(REDIS_CYCLES) cargo test --release --lib store::redis::tests::torture -- --nocapture
	cargo build --release
	@scripts/build-gazetteer target/release/waymark
	@scripts/build-asn target/release/waymark
	WAYMARK_BIN=$(CURDIR)/target/release/waymark WAYMARK_KILL_CYCLES=$(KILL_CYCLES) \
	  .venv/bin/python -m pytest -q -s tests/e2e/python/test_kill.py

mutants: setup dashboard ## Build waymark broken in ways that matter, and demand that the tests notice each: half an hour (MUTANTS picks some).
	@.venv/bin/python scripts/mutants

bench: dashboard ## Measure the map and the server at BENCH_SITES sites (10000 100000 1000000; 10 million: bench-10m; beside others: bench-compare).
	@scripts/fetch-data
	cargo build --quiet --release
	@scripts/build-gazetteer target/release/waymark
	@scripts/build-asn target/release/waymark
	cargo bench --quiet --bench geoip
	cargo bench --quiet --bench geocode
	cargo bench --quiet --bench map
	cargo bench --quiet --bench search
	cargo bench --quiet --bench store
	cargo bench --quiet --bench load
	cargo bench --quiet --bench load -- overload
	cargo bench --quiet --bench load -- fleet
	benches/report.py
	@echo 'bench: 10 million sites are `make bench-10m`, PostGIS, Redis and supercluster `make bench-compare`, all of it `make bench-all`'

bench-10m: ## The same at 10 million sites, two hours: 33 GB of disk, 12 GB of memory.
	$(MAKE) bench BENCH_SITES='10000 10000000'

bench-compare: dashboard ## Measure waymark beside supercluster, PostGIS and Redis at 1 million sites.
	benches/compare/run
	benches/report.py

bench-all: ## All three, one after the other: over three hours.
	$(MAKE) bench
	$(MAKE) bench-10m
	$(MAKE) bench-compare

dist: dashboard ## Build what is shipped: target/waymark-VERSION-MACHINE.tar.gz, and a Debian package where dpkg-deb is.
	@scripts/package

clean: ## Remove everything built. Fetched data (data/fetched) and the server's data (run) stay.
	cargo clean
	rm -rf dashboard/dist dashboard/src/gen dashboard/node_modules data/built tests/e2e/node_modules \
	  benches/compare/node_modules .venv .venv-nominatim
