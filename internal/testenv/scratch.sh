#!/usr/bin/env bash
# Prints the folder that the tests make theirs in: in memory where there is plenty. They make databases and repositories by
# the thousand and have every change kept on the disk, but nothing of them has to outlive the machine: a test kills processes,
# and what a process has written stays. It is the same folder each time, or go would not know the tests again that it ran
# before. TMPDIR, if it is set, goes before.
set -euo pipefail

memory=/dev/shm # where Linux has files in memory

# roomy says that a gigabyte or two in there are missed nowhere, and that programs can be run from it.
roomy() {
	[[ -w $memory ]] || return
	local files free
	files=$(df -k --output=avail "$memory" | tail -1)
	free=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
	((files > 4 << 20 && free > 8 << 20)) || return
	awk -v folder="$memory" '$2 == folder && ("," $4 ",") !~ /,noexec,/ {found = 1} END {exit !found}' /proc/mounts
}

if [[ -z ${TMPDIR-} ]] && roomy 2>/dev/null; then
	TMPDIR=$memory
fi
echo "${TMPDIR:-/tmp}"
