#!/usr/bin/env bash
# Gets what the tests need beside Go: git. On Debian as root it is installed;
# elsewhere one line says what to install.
set -euo pipefail

missing=()
command -v git >/dev/null 2>&1 || missing+=(git)
((${#missing[@]} == 0)) && exit 0

if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null 2>&1; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	exec apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
echo "The tests need these programs, please install them: ${missing[*]}" >&2
exit 1
