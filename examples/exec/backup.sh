#!/usr/bin/env bash
# Packs a folder. The key comes from a file that actions.toml names, never from the job's parameters.
set -euo pipefail
folder=$1
trap 'echo "asked to stop" >&2; exit 1' TERM

[ -n "${BACKUP_KEY:-}" ] || { echo "BACKUP_KEY is not set" >&2; exit 2; }
progress() { echo "$1" >"$JOB_PROGRESS"; }

progress '{"percent": 0, "message": "packing"}'
tar -C "$folder" -czf "$TMPDIR/backup.tgz" .     # $TMPDIR is removed with the job
progress '{"percent": 90, "message": "writing down what was packed"}'
files=$(tar -tzf "$TMPDIR/backup.tgz" | grep -vc '/$' || true)
echo "packed $files files of $folder for job $JOB_NUMBER, run $JOB_TOKEN"
printf '{"files": %d, "bytes": %d}\n' "$files" "$(stat -c %s "$TMPDIR/backup.tgz")" >"$JOB_RESULT"
progress '{"percent": 100}'
