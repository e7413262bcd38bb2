# `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: help run test test-tools web web-check lint fmt bench-edge bench-upload bench-video bench-dashboard

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build Tidegate and start it on http://127.0.0.1:8080 with its data in ./data (ARGS="--help" shows its flags)
	cargo run --release --bin tidegate -- $(ARGS)

test: test-tools ## install what the tests need where it is missing, then run everything
	cargo test --workspace --no-fail-fast

test-tools: ## only install what the tests need
	scripts/install-test-tools.sh

web: web/node_modules/.installed ## build the pages again (web/src to web/dist, which is committed); needs Node.js
	cd web && npm run --silent build

web-check: web/node_modules/.installed ## say whether web/dist is what web/src gives
	cd web && npm run --silent check

web/node_modules/.installed: web/package-lock.json
	cd web && npm ci --no-fund --no-audit --loglevel=error
	touch $@

lint: ## formatting, clippy and rustdoc without a warning, and the licences where cargo-deny is installed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check licenses bans sources; \
	else echo "cargo-deny is not installed: licences and sources were not checked"; fi

fmt: ## format everything
	cargo fmt --all

# The side-by-side benchmarks: scripts that start the peers and us in one run. They need wrk, nginx and varnish
# (Debian packages), and for uploads tusd and rustus, whose paths TUSD and RUSTUS give.
BENCH ?= ../shared/bench
TUSD ?= $(shell command -v tusd)
RUSTUS ?= $(shell command -v rustus)
comma := ,

bench-edge: $(BENCH)/edge_bench.py ## the edge beside nginx and Varnish, warm (BENCH=folder of the scripts)
	cargo build --release --bin tidegate-edge
	python3 $(BENCH)/edge_bench.py --peers nginx,varnish,tidegate --work target/bench-edge \
	    --bin tidegate=$(CURDIR)/target/release/tidegate-edge $(ARGS)

bench-upload: $(BENCH)/upload_bench.py ## uploads beside tusd and rustus, first durable, then relaxed (TUSD=PATH RUSTUS=PATH)
	cargo build --release --bin tidegate-origin
	for durability in durable relaxed; do \
	    echo "== tidegate $$durability"; \
	    TIDEGATE_DURABILITY=$$durability \
	    TIDEGATE_SQLITE_SYNCHRONOUS=$$([ $$durability = durable ] && echo full || echo normal) \
	    python3 $(BENCH)/upload_bench.py --work target/bench-upload \
	        --servers $(if $(TUSD),tusd$(comma))$(if $(RUSTUS),rustus$(comma))tidegate \
	        $(if $(TUSD),--bin tusd=$(TUSD)) $(if $(RUSTUS),--bin rustus=$(RUSTUS)) \
	        --bin tidegate=$(CURDIR)/target/release/tidegate-origin $(ARGS) || exit 1; \
	done

bench-video: ## from an upload's last byte to the first picture, beside bare ffmpeg (ARGS="--clips 10 --rounds 1")
	cargo build --release --bin tidegate-origin --bin tidegate-transcoder --bin tidegate-edge
	python3 scripts/bench_video.py --bins $(or $(CARGO_TARGET_DIR),target)/release $(ARGS)

bench-dashboard: ## the library and its API with 10,000 assets, and 200 event streams (ARGS="--scenes list")
	cargo build --release --bin tidegate-origin
	python3 scripts/bench_dashboard.py --bins $(or $(CARGO_TARGET_DIR),target)/release $(ARGS)

$(BENCH)/%_bench.py:
	@echo "The benchmark scripts are kept beside the repository: BENCH=FOLDER says where (now $(BENCH))." >&2; exit 1
