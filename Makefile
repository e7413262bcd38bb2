# `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: help run test test-tools lint fmt

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build Tidegate and start it on http://127.0.0.1:8080 with its data in ./data (ARGS="--help" shows its flags)
	cargo run --release --bin tidegate -- $(ARGS)

test: test-tools ## install what the tests need where it is missing, then run everything
	cargo build --workspace --bins
	cargo test --workspace

test-tools: ## only install what the tests need
	scripts/install-test-tools.sh

lint: ## formatting, clippy and rustdoc without a warning, and the licences where cargo-deny is installed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check licenses bans sources; \
	else echo "cargo-deny is not installed: licences and sources were not checked"; fi

fmt: ## format everything
	cargo fmt --all
