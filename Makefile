# make setup  installs what compiling needs and is missing
# make test   sets up what is missing and passes all tests
# make lint   format and lint checks; rewrites nothing
.PHONY: setup test lint
CARGO_FLAGS := --release --locked

# RocksDB is C++ and its bindings are made at build time: a C++ compiler and libclang are needed.
setup:
	@deploy/setup.sh

test: setup
	cargo test $(CARGO_FLAGS)

lint: setup
	cargo fmt --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
