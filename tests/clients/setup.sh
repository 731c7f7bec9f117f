#!/usr/bin/env bash
# Gets Go, its gRPC and the AWS SDK for Go, from the packages of Debian's next release, into the folder that is given.
#
# They are extracted and not installed: no right is needed, and the machine stays as it is.
set -euo pipefail

readonly FOLDER="$1/go"
readonly NEXT_SUITE=trixie
readonly PACKAGES=(
  golang-1.24-{go,src}
  golang-github-aws-{aws-sdk-go-v2,smithy-go}-dev
  golang-github-golang-protobuf-1-5-dev
  golang-github-jmespath-go-jmespath-dev
  golang-golang-x-{net,sys,text}-dev
  golang-google-{genproto,grpc,protobuf}-dev
  protoc-gen-go{,-grpc}
)

[[ -x "$FOLDER/bin/go" ]] && exit 0
mirror="$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" | head -n 1)"
rm -rf "$FOLDER.new" && mkdir -p "$FOLDER.new"/{bin,lists/partial,archives/partial,packages}
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $NEXT_SUITE main" >"$FOLDER.new/sources.list"
apt=(-qq -o Dir::Etc::sourcelist="$FOLDER.new/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$FOLDER.new/lists"
  -o Dir::Cache="$FOLDER.new" -o Dir::Cache::archives="$FOLDER.new/archives")
((EUID)) || apt+=(-o APT::Sandbox::User=root)
apt-get "${apt[@]}" update >&2
(cd "$FOLDER.new/packages" && apt-get "${apt[@]}" download "${PACKAGES[@]}" >&2)
for package in "$FOLDER.new"/packages/*.deb; do
  dpkg-deb --extract "$package" "$FOLDER.new"
done
# Of the SDK's many services only the one that is used.
find "$FOLDER.new/usr/share/gocode/src/github.com/aws/aws-sdk-go-v2/service" -mindepth 1 -maxdepth 1 \
  ! -name glue ! -name internal ! -name 'sso*' ! -name sts -exec rm -rf {} +
rm -rf "$FOLDER.new"/{lists,archives,packages,pkgcache.bin,srcpkgcache.bin} "$FOLDER.new/usr/share/go-1.24/test"
ln -s ../usr/lib/go-1.24/bin/go ../usr/bin/protoc-gen-go ../usr/bin/protoc-gen-go-grpc "$FOLDER.new/bin"
[[ -x "$FOLDER.new/bin/go" && -x "$FOLDER.new/bin/protoc-gen-go-grpc" ]]
rm -rf "$FOLDER" && mv "$FOLDER.new" "$FOLDER"
