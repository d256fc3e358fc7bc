# make setup  installs what compiling needs and is missing
# make demo   builds the program and plays the stories of "IAM roles for Amazon EC2" through real clients
# make test   sets up what is missing and passes all tests
# make test-repeat    passes each test target TIMES times (ONLY=target,target) beside busy loops; the slow ones 5 times
# make fuzz   fuzzes each target for FUZZ_SECONDS
# make bench  measures; benches/README.md says what stands beside what
# make bench-compare BASE=commit    fails if BENCH=bench,bench cost over LOSS percent more than in BASE, by TURNS of each
# make compatibility  writes docs/compatibility.md from what AWS's clients find
# make condition-keys  writes docs/condition-keys.md from the table of permissions
# make lint   format and lint checks; rewrites nothing
.PHONY: setup python reference demo test test-repeat fuzz bench bench-compare compatibility condition-keys lint
CARGO_FLAGS := --release --locked
TARGET = $(shell cargo metadata --format-version 1 --no-deps --locked | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
PYTHON = $(TARGET)/python
REFERENCE = $(TARGET)/reference

# RocksDB is C++ and its bindings are made at build time: a C++ compiler and libclang are needed.
setup:
	@deploy/setup.sh

python: setup
	@deploy/python.sh $(PYTHON)

reference: python
	@deploy/reference.sh $(REFERENCE) $(PYTHON)

demo: python
	cargo build $(CARGO_FLAGS) --bin locum --example photos
	$(PYTHON)/bin/python deploy/demo.py $(TARGET)/release/locum $(TARGET)/release/examples/photos

test: reference
	cargo test $(CARGO_FLAGS)

TIMES = 20
ONLY =
test-repeat: reference
	python3 tests/repeat.py --times $(TIMES) --only "$(ONLY)" $(CARGO_FLAGS)

compatibility: python
	cargo build $(CARGO_FLAGS) --bin locum
	$(PYTHON)/bin/python tests/clients/main.py $(TARGET)/release/locum --write

condition-keys: setup
	cargo build $(CARGO_FLAGS) --bin locum
	$(TARGET)/release/locum policy keys >docs/condition-keys.md

FUZZ_SECONDS = 600
fuzz: setup
	tests/fuzz/run.sh $(TARGET)/fuzz $(FUZZ_SECONDS)

bench: setup
	cargo bench --locked

BASE =
BENCH = policy,ceiling
TURNS = 9
LOSS = 3
bench-compare: setup
	@deploy/setup.sh valgrind
	python3 benches/compare.py --bench $(BENCH) --turns $(TURNS) --loss $(LOSS) $(or $(BASE),$(error BASE=commit is missing))

lint: setup
	cargo fmt --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	cargo check --locked --manifest-path tests/fuzz/Cargo.toml --target-dir $(TARGET)/fuzz/check
