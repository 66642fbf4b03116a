#!/usr/bin/env bash
# Gets what the tests need beside Go: git, pgrep, curl, jq, openssl, PostgreSQL 15+, Redis 7+, Prometheus with
# promtool, Alertmanager, Chromium or Chrome with a font, and Node.js with npm. On Debian as root what is missing is installed;
# elsewhere one line says what to install. The tests start servers of their own: none that runs already is touched,
# and none that is installed here is started.
set -euo pipefail

missing=()
command -v git >/dev/null 2>&1 || missing+=(git)
command -v curl >/dev/null 2>&1 || missing+=(curl)
command -v jq >/dev/null 2>&1 || missing+=(jq)
command -v openssl >/dev/null 2>&1 || missing+=(openssl)
[[ -e /etc/ssl/certs/ca-certificates.crt || $OSTYPE != linux* ]] || missing+=(ca-certificates)
command -v pgrep >/dev/null 2>&1 || missing+=(procps)
command -v redis-server >/dev/null 2>&1 || missing+=(redis-server)
{ command -v prometheus && command -v promtool; } >/dev/null 2>&1 || missing+=(prometheus)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null 2>&1 || missing+=(postgresql)
command -v prometheus-alertmanager >/dev/null 2>&1 || command -v alertmanager >/dev/null 2>&1 || missing+=(prometheus-alertmanager)
{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null 2>&1 || missing+=(chromium fonts-dejavu-core)
{ command -v node && command -v npm; } >/dev/null 2>&1 || missing+=(nodejs npm)
((${#missing[@]} == 0)) && exit 0

if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null 2>&1; then
	export DEBIAN_FRONTEND=noninteractive
	policy=/usr/sbin/policy-rc.d # asked by every package whether it may start its service
	if [[ ! -e $policy ]]; then
		trap 'rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "${missing[@]}"
	exit
fi
echo "The tests need these programs, please install them: ${missing[*]}" >&2
exit 1
