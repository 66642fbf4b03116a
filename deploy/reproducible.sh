#!/usr/bin/env bash
# Builds the last commit twice, in two clones and with two empty build caches, and
# compares the programs byte by byte. Takes as long as two builds from nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(git describe --tags --exact-match 2>/dev/null || true)

for clone in first second/elsewhere; do
	git clone -q --no-hardlinks . "$work/$clone"
	GOCACHE="$work/cache-${clone%/*}" make -s -C "$work/$clone" build VERSION="$version"
	"$work/$clone/bin/sluice" version
done
cmp "$work/first/bin/sluice" "$work/second/elsewhere/bin/sluice"
sha256sum "$work/first/bin/sluice" | sed 's/ .*/  sluice, the same twice/'
