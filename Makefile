# make test   sets up what is missing and passes all tests
# make lint   format and lint checks; rewrites nothing
.PHONY: test lint
CARGO_FLAGS := --release --locked

test:
	cargo test $(CARGO_FLAGS)

lint:
	cargo fmt --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
