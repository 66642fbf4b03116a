#!/usr/bin/env bash
# Makes the passwords, keys and tokens that compose.production.yaml names, each a file in
# deploy/secrets (or the folder given). What is there already stays as it is, so that it
# may be run again after one was taken away. docs/keys.md says what each is for.
set -euo pipefail
umask 077
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
cd "$folder"

# secret NAME COMMAND...: what the command prints becomes the file.
secret() {
	local name=$1
	shift
	[[ -s $name ]] && return
	"$@" >"$name.new"
	mv "$name.new" "$name"
	echo "made $name"
}

secret postgres-password openssl rand -hex 24
secret redis-password openssl rand -hex 24
secret database-url printf 'postgres://sluice:%s@postgres:5432/sluice?sslmode=disable\n' "$(<postgres-password)"
secret redis-url printf 'redis://:%s@redis:6379/0\n' "$(<redis-password)"
secret master-key printf 'k1:%s\n' "$(openssl rand -base64 32)"
secret session-keys openssl rand -hex 32
secret registration-token openssl rand -hex 32
secret admin-password openssl rand -base64 24
secret grafana-password openssl rand -base64 24

# Signed by nobody, until yours is put in its place: browsers and agents will say so.
if [[ ! -s tls-certificate ]]; then
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 90 \
		-subj /CN=sluice.example.com -addext subjectAltName=DNS:sluice.example.com,DNS:localhost \
		-keyout tls-key.new -out tls-certificate.new 2>/dev/null
	mv tls-key.new tls-key
	mv tls-certificate.new tls-certificate
	echo "made tls-certificate and tls-key, signed by nobody: put yours in their place"
fi

# Each container reads its files as a user of its own. On this machine the folder keeps
# everybody out who is not its owner.
chmod 700 .
chmod 644 -- *
