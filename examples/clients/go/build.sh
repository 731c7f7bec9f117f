#!/usr/bin/env bash
# Makes gen/ from proto/, and builds both programs into bin/.
#
#   ./build.sh            with the modules that go.mod names
#   ./build.sh --debian   with Debian's packages instead, without a network
#
# Needs protoc, protoc-gen-go and protoc-gen-go-grpc. PROTOC names another protoc, such as `python -m grpc_tools.protoc`.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
readonly PROTO=../../../proto
readonly MODULE=example.com/treenail/clients

# The contract belongs to no language, so where its Go packages are is said here.
generate() {
  local options=("module=$MODULE") files=() file folder
  while IFS= read -r file; do
    files+=("$file")
    folder="$(dirname "${file#treenail/}")"
    options+=("M$file=$MODULE/gen/$folder;$(dirname "$folder")")
  done < <(cd "$PROTO" && find treenail/{aws,glue,ops,worker} -name '*.proto' | sort)
  rm -rf gen
  ${PROTOC:-protoc} -I "$PROTO" --go_out=. --go-grpc_out=. \
    "${options[@]/#/--go_opt=}" "${options[@]/#/--go-grpc_opt=}" "${files[@]}"
}

# Debian's packages lie in a GOPATH, where there are no modules, so this folder has to be in one too.
without_modules() {
  gopath="$(mktemp -d)"
  trap 'rm -rf "$gopath"' EXIT
  mkdir -p "$gopath/src/$(dirname "$MODULE")"
  ln -s "$PWD" "$gopath/src/$MODULE"
  export GO111MODULE=off GOFLAGS= GOPATH="$gopath:${DEBIAN_GOPATH:-/usr/share/gocode}"
}

generate
case "${1:-}" in
  "") go mod tidy ;;
  --debian) without_modules ;;
  *) echo "usage: build.sh [--debian]" >&2; exit 2 ;;
esac
mkdir -p bin
for program in over_grpc over_aws_sdk; do
  go vet "$MODULE/$program"
  go build -trimpath -o "bin/$program" "$MODULE/$program"
done
