#!/usr/bin/env bash
# Gets kustomize, from the packages of Debian's next release, into the folder that is given.
set -euo pipefail

readonly FOLDER="$1/kustomize"
readonly NEXT_SUITE=trixie

[[ -x "$FOLDER/kustomize" ]] && exit 0
mirror="$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" | head -n 1)"
rm -rf "$FOLDER.new" && mkdir -p "$FOLDER.new"/{lists/partial,archives/partial}
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $NEXT_SUITE main" >"$FOLDER.new/sources.list"
apt=(-qq -o Dir::Etc::sourcelist="$FOLDER.new/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$FOLDER.new/lists"
  -o Dir::Cache="$FOLDER.new" -o Dir::Cache::archives="$FOLDER.new/archives" -o APT::Sandbox::User=root)
apt-get "${apt[@]}" update >&2
(cd "$FOLDER.new" && apt-get "${apt[@]}" download kustomize >&2)
dpkg-deb --extract "$FOLDER.new"/kustomize_*.deb "$FOLDER.new/package"
find "$FOLDER.new/package" -type f -name kustomize -path '*/bin/*' -exec install -m 0755 {} "$FOLDER.new/kustomize" \;
[[ -x "$FOLDER.new/kustomize" ]]
rm -rf "$FOLDER" && mv "$FOLDER.new" "$FOLDER"
