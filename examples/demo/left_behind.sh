#!/usr/bin/env bash
# left_behind: lists the processes and directories that a finished job left on this host. There should be none.
set -euo pipefail
job=$1 temporary=${TMPDIR%/*/*}
processes=$(grep -lzsxF "JOB_ID=$job" /proc/[0-9]*/environ || true)
directories=$(find "$temporary" -maxdepth 2 -path "$temporary/capstan-worker-*/$job-*" 2>/dev/null || true)
printf '%s\n' "$processes" "$directories" | sed '/^$/d'
count() { if [ -z "$1" ]; then echo 0; else wc -l <<<"$1"; fi; }
printf '{"processes": %d, "directories": %d}\n' "$(count "$processes")" "$(count "$directories")" >"$JOB_RESULT"
