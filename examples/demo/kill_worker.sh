#!/usr/bin/env bash
# kill_worker: kills the worker that runs it, as a power failure would. This process is a child of the
# supervisor, which is a child of the worker.
set -euo pipefail
read -r _ _ _ worker _ </proc/$PPID/stat
[ "$(cat "/proc/$worker/comm")" = capstan-worker ] || { echo "process $worker is not a worker" >&2; exit 1; }
kill -KILL "$worker"
sleep 60   # until the supervisor kills this process
