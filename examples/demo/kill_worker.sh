#!/usr/bin/env bash
# kill_worker: kills the worker that runs it, as a machine would that loses its power. Between the two stands the reaper.
set -euo pipefail
read -r _ _ _ worker _ </proc/$PPID/stat
[ "$(cat "/proc/$worker/comm")" = capstan-worker ] || { echo "process $worker is no worker" >&2; exit 1; }
kill -KILL "$worker"
sleep 60   # until somebody does the same to this
