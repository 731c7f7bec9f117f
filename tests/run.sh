#!/usr/bin/env bash
# Runs every check and every test of the repository: the README's second command, and what CI runs.
#
# Needs Rust (rustup or a distribution's), a C compiler, Python 3 with venv, and npm. Everything else is installed
# into tests/.cache and tests/e2e/js, at the versions that are written down. Running it again costs only what changed.
#
#   tests/run.sh            all of it
#   tests/run.sh rust       formatting, lints, unit tests, docs
#   tests/run.sh python     python/awsglue and the linting of all Python code
#   tests/run.sh proto      the contract's lint, and that it breaks no released one
#   tests/run.sh e2e [...]  the end-to-end tests; further arguments go to pytest
#   tests/run.sh clients    the example clients, those in Go and Rust too, which compile for minutes; on Debian, and not part of the rest
#   tests/run.sh kubernetes the manifests and the chart, with kustomize and Helm's engine; on Debian, and not part of the rest
#   tests/run.sh executors  what jobs run in: processes, Docker's and Podman's containers, a cluster's pods; as root, and not part of the rest
#   tests/run.sh compose    docker-compose.yml and the images on a real Docker Engine; as root, and not part of the rest
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly CACHE="$PWD/tests/.cache"
readonly VENV="$CACHE/venv"
readonly BUF_PACKAGE="@bufbuild/buf@1.75.0"
# The contract of the last release, which what is in proto/ must not break: `buf build -o tests/contract.binpb.gz` renews it.
readonly CONTRACT=tests/contract.binpb.gz

say() { printf '\n== %s\n' "$*"; }

has() { command -v "$1" >/dev/null 2>&1; }

require() {
  for tool in "$@"; do
    has "$tool" || { echo "tests/run.sh needs $tool, which is not installed" >&2; exit 2; }
  done
}

python_environment() {
  require python3
  local stamp="$VENV/requirements.txt"
  if ! cmp -s tests/requirements.txt "$stamp"; then
    say "Python packages into tests/.cache/venv"
    mkdir -p "$CACHE"
    python3 -m venv --clear "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
    cp tests/requirements.txt "$stamp"
  fi
}

node_modules() {
  require node npm
  local stamp=tests/e2e/js/node_modules/.package-lock.stamp
  if ! cmp -s tests/e2e/js/package-lock.json "$stamp"; then
    say "JavaScript packages into tests/e2e/js/node_modules"
    npm ci --prefix tests/e2e/js --no-progress --loglevel=error
    cp tests/e2e/js/package-lock.json "$stamp"
  fi
}

rust() {
  require cargo
  say "cargo fmt"
  cargo fmt --all --check
  say "cargo clippy"
  cargo clippy --workspace --all-targets --locked -- -D warnings
  say "cargo build"
  cargo build --workspace --locked
  if cargo nextest --version >/dev/null 2>&1; then
    say "cargo nextest"
    cargo nextest run --workspace --locked --no-fail-fast
  else
    say "cargo test"
    cargo test --workspace --locked --no-fail-fast --lib --bins --tests
  fi
  say "planted bugs"
  cargo test --locked -p treenail-testkit --features planted-bugs --test planted
  say "doc tests"
  cargo test --workspace --locked --doc
  say "cargo doc"
  RUSTDOCFLAGS="-D warnings" cargo doc --workspace --locked --no-deps --document-private-items
  if cargo deny --version >/dev/null 2>&1; then
    say "cargo deny"
    cargo deny check bans licenses sources
  else
    echo "cargo deny is not installed: the check of licences and sources is left out" >&2
  fi
}

proto() {
  require npm
  say "buf lint"
  npm exec --yes --loglevel=error --package="$BUF_PACKAGE" -- buf lint
  npm exec --yes --loglevel=error --package="$BUF_PACKAGE" -- buf format --diff --exit-code
  say "buf breaking"
  npm exec --yes --loglevel=error --package="$BUF_PACKAGE" -- buf breaking --against "$CONTRACT"
}

python() {
  python_environment
  say "ruff"
  "$VENV/bin/ruff" check --no-cache python tests examples
  "$VENV/bin/ruff" format --no-cache --check python tests examples
  say "python/awsglue"
  "$VENV/bin/python" -m pytest -p no:cacheprovider -q python/tests
}

e2e() {
  require cargo
  python_environment
  node_modules
  say "cargo build"
  cargo build -p treenail --features failpoints --locked
  say "end-to-end tests"
  # What has a command of its own needs more than most machines have.
  "$VENV/bin/python" -m pytest -c tests/pytest.ini --rootdir=tests \
    --ignore=tests/compose --ignore=tests/executors --ignore=tests/kubernetes --ignore=python "$@"
}

clients() {
  require cargo npm
  python_environment
  say "cargo build"
  cargo build -p treenail --features failpoints --locked
  say "Go and Rust"
  tests/clients/setup.sh "$CACHE/clients"
  cargo fmt --check --manifest-path examples/clients/rust/Cargo.toml
  cargo clippy --manifest-path examples/clients/rust/Cargo.toml --target-dir examples/clients/rust/target \
    --all-targets --features aws-sdk --locked -- -D warnings
  say "clients"
  TREENAIL_CLIENTS=all "$VENV/bin/python" -m pytest -c tests/pytest.ini --rootdir=tests "$@" tests/e2e/test_clients.py
}

compose() {
  require cargo
  python_environment
  say "cargo build"
  cargo build -p treenail --locked
  say "containers"
  PYTHONPATH=tests/compose "$VENV/bin/python" -m pytest -c tests/pytest.ini --rootdir=tests "$@" tests/compose
}

executors() {
  require cargo
  python_environment
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/kubernetes/requirements.txt
  say "cargo build"
  cargo build -p treenail --features failpoints --locked
  say "executors"
  TREENAIL_TEST_EXECUTORS="${TREENAIL_TEST_EXECUTORS:-process,kubernetes,docker,podman}" \
    "$VENV/bin/python" -m pytest -c tests/pytest.ini --rootdir=tests "$@" tests/executors
}

kubernetes() {
  require cargo
  python_environment
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/kubernetes/requirements.txt
  say "cargo build"
  cargo build -p treenail --locked
  say "manifests"
  PYTHONPATH=tests/kubernetes "$VENV/bin/python" -m pytest -c tests/pytest.ini --rootdir=tests "$@" tests/kubernetes
}

case "${1:-all}" in
  all) rust; proto; python; e2e ;;
  rust | proto | python) "$1" ;;
  e2e | clients | compose | executors | kubernetes) command="$1"; shift; "$command" "$@" ;;
  *) echo "usage: tests/run.sh [rust|proto|python|e2e|clients|compose|executors|kubernetes] [pytest arguments]" >&2; exit 2 ;;
esac
