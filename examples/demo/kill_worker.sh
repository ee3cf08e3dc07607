#!/usr/bin/env bash
# kill_worker: kills the worker that runs it, as a power failure would. The worker is the parent of this process's
# parent, the supervisor.
set -euo pipefail
read -r _ _ _ worker _ </proc/$PPID/stat
[ "$(cat "/proc/$worker/comm")" = capstan-worker ] || { echo "process $worker is not a worker" >&2; exit 1; }
kill -KILL "$worker"
sleep 60   # until the supervisor kills this process
