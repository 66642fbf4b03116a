#!/bin/bash
# Runs a command in a root folder, in a mount namespace of its own:
#
#   unshare --mount confine.sh build|run ROOT FOLDER USER "FROM=TO ..." -- COMMAND...
#
# build lends it the programs of this machine, as an image of tools would; run makes
# the root read-only, and the mounts alone can be written to. The environment is
# handed on as it is.
set -euo pipefail
how=$1 root=$2 folder=$3 user=$4 mounts=$5
shift 6

/bin/mount --bind "$root" "$root"
if [[ $how == build ]]; then
	for top in /*; do
		if [[ -L $top && ! -e $root$top ]]; then
			/bin/cp -P "$top" "$root$top"
		elif [[ -d $top && $top =~ ^/(bin|sbin|lib|lib32|lib64|libx32|usr|etc|dev|proc|tmp|opt)$ ]]; then
			/bin/mkdir -p "$root$top"
			/bin/mount --rbind "$top" "$root$top"
		fi
	done
fi
for mount in $mounts; do
	if [[ -f ${mount%%=*} ]]; then # as an engine does
		/bin/mkdir -p "$(/usr/bin/dirname "$root${mount#*=}")"
		/usr/bin/touch "$root${mount#*=}"
	else
		/bin/mkdir -p "$root${mount#*=}"
	fi
	/bin/mount --bind "${mount%%=*}" "$root${mount#*=}"
done
if [[ $how == run ]]; then
	/bin/mount -o remount,bind,ro "$root"
fi
exec /usr/bin/unshare --root="$root" --wd="$folder" ${user:+--setuid="${user%%:*}" --setgid="${user#*:}"} -- "$@"
