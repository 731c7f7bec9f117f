#!/usr/bin/env bash
# Makes ready what the tests of executors in containers need, into the folder that is given: engines, and an image.
#
# The image is the base that the test of the containers makes, and boto3 of the tests' environment, whose packages hold no
# native code.
set -euo pipefail

readonly CACHE="$1"
readonly PACKAGES="$2"

install_packages() {
  local missing=()
  command -v dockerd >/dev/null || missing+=(docker.io)
  command -v docker-init >/dev/null || missing+=(tini)
  command -v podman >/dev/null || missing+=(podman)
  command -v catatonit >/dev/null || missing+=(catatonit)
  if ((${#missing[@]})); then
    printf '== apt-get install %s\n' "${missing[*]}" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >&2
  fi
}

image() {
  local archive="$CACHE/executors/image.tar"
  [[ -f "$archive" ]] && return
  mkdir -p "$CACHE/executors"
  cp "$CACHE/docker/base.tar" "$archive.new"
  local names=(boto3 botocore s3transfer jmespath dateutil urllib3 six.py)
  tar --append --file "$archive.new" --directory "$PACKAGES" --owner=0 --group=0 --exclude=__pycache__ \
    --transform 's,^,./usr/lib/python3/dist-packages/,' "${names[@]}"
  mv "$archive.new" "$archive"
}

"$(dirname "${BASH_SOURCE[0]}")/../compose/setup.sh" "$CACHE/docker"
install_packages
image
