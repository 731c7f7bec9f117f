#!/usr/bin/env bash
# Makes ready what the test of the containers needs, into the folder that is given: Docker Engine, compose, a base image.
#
# Engine and debootstrap come from Debian's packages, compose from the packages of Debian's next release, where it is the
# second version. No image can be pulled everywhere: the base image is a small Debian that debootstrap makes.
set -euo pipefail

readonly CACHE="$1"
readonly SUITE=bookworm
readonly NEXT_SUITE=trixie

say() { printf '== %s\n' "$*" >&2; }

mirror() { apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" | head -n 1; }

install_packages() {
  local missing=()
  command -v dockerd >/dev/null || missing+=(docker.io)
  command -v debootstrap >/dev/null || missing+=(debootstrap)
  if ((${#missing[@]})); then
    say "apt-get install ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >&2
  fi
}

compose() {
  local folder="$CACHE/compose"
  if [[ ! -x "$folder/docker-compose" ]]; then
    say "docker-compose from Debian's $NEXT_SUITE"
    rm -rf "$folder.new" && mkdir -p "$folder.new"/{lists/partial,archives/partial}
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $NEXT_SUITE main" >"$folder.new/sources.list"
    local apt=(-qq -o Dir::Etc::sourcelist="$folder.new/sources.list" -o Dir::Etc::sourceparts=-
      -o Dir::State::lists="$folder.new/lists" -o Dir::Cache="$folder.new" -o Dir::Cache::archives="$folder.new/archives"
      -o APT::Sandbox::User=root)
    apt-get "${apt[@]}" update >&2
    (cd "$folder.new" && apt-get "${apt[@]}" download docker-compose >&2)
    dpkg-deb --extract "$folder.new"/docker-compose_*.deb "$folder.new/package"
    find "$folder.new/package" -type f -name docker-compose -exec install -m 0755 {} "$folder.new/docker-compose" \;
    rm -rf "$folder" && mv "$folder.new" "$folder"
  fi
}

base_image() {
  local archive="$CACHE/base.tar"
  if [[ ! -f "$archive" ]]; then
    say "a small Debian by debootstrap"
    rm -rf "$CACHE/base" && mkdir -p "$CACHE/base"
    debootstrap --variant=minbase --include=ca-certificates,python3 "$SUITE" "$CACHE/base" "$(mirror)" >&2
    rm -rf "$CACHE/base"/var/cache/apt/archives/*.deb "$CACHE/base"/var/lib/apt/lists/*
    tar --create --file "$archive.new" --directory "$CACHE/base" --exclude=./dev/* .
    mv "$archive.new" "$archive" && rm -rf "$CACHE/base"
  fi
}

mkdir -p "$CACHE"
install_packages
compose
base_image
