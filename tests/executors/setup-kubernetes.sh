#!/usr/bin/env bash
# Makes Kubernetes' own API server and controllers (1.20) and etcd, from Debian's packages, in the folder that is given: on
# Debian 12 with golang-go, in some minutes.
set -euo pipefail

readonly FOLDER="$1"
readonly SUITE=bookworm

[[ -x "$FOLDER/kube-controller-manager" ]] && exit 0
mirror="$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" | grep -v security | head -n 1)"
work="$(mktemp -d)"
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
mkdir -p "$FOLDER" "$work"/{lists/partial,archives/partial,go/src/k8s.io}
signed="signed-by=/usr/share/keyrings/debian-archive-keyring.gpg"
printf '%s\n' "deb [$signed] $mirror $SUITE main" "deb-src [$signed] $mirror $SUITE main" >"$work/sources.list"
apt=(-qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$work/lists"
  -o Dir::Cache="$work" -o Dir::Cache::archives="$work/archives" -o APT::Sandbox::User=root)
cd "$work"
apt-get "${apt[@]}" update
apt-get "${apt[@]}" source --download-only kubernetes
apt-get "${apt[@]}" download etcd-server
dpkg-deb --extract etcd-server_*.deb etcd
install -m 0755 etcd/usr/bin/etcd "$FOLDER/etcd"
tar -xf kubernetes_*.orig.tar.gz
mv kubernetes-[0-9]* go/src/k8s.io/kubernetes
cd go/src/k8s.io/kubernetes
export GOPATH="$work/go" GOTMPDIR="$work" GO111MODULE=off CGO_ENABLED=0
# What its own Makefile generates, and the sources do not have.
go build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
described="$(grep -rlE '^// \+k8s:openapi-gen=' --include=*.go staging/src/k8s.io pkg \
  | grep -vE '_test.go|/sample-|/code-generator/|kube-aggregator/pkg/apis/apiregistration/[a-z]+\.go' \
  | xargs -n 1 dirname | sort -u | sed 's#^staging/src/#vendor/#; s#^#k8s.io/kubernetes/#' | paste -sd,)"
"$work/openapi-gen" -i "$described" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
  -h hack/boilerplate/boilerplate.generatego.txt -r "$work/violations" -o "$work/go/src"
go build -o "$FOLDER/" ./cmd/kube-apiserver ./cmd/kube-controller-manager
