#!/usr/bin/env bash
# Packs a folder, or says why it cannot. Its key comes from a file that is named in actions.toml, never from the job.
set -euo pipefail
folder=$1
trap 'echo "asked to stop" >&2; exit 1' TERM

[ -n "${BACKUP_KEY:-}" ] || { echo "there is no key" >&2; exit 2; }
tell() { echo "$1" >"$JOB_PROGRESS"; }

tell '{"percent": 0, "message": "packing"}'
tar -C "$folder" -czf "$TMPDIR/backup.tgz" .     # $TMPDIR is the job's own, and goes with it
tell '{"percent": 90, "message": "writing down what was packed"}'
files=$(tar -tzf "$TMPDIR/backup.tgz" | grep -vc '/$' || true)
echo "packed $files files of $folder for job $JOB_NUMBER, run $JOB_TOKEN"
printf '{"files": %d, "bytes": %d}\n' "$files" "$(stat -c %s "$TMPDIR/backup.tgz")" >"$JOB_RESULT"
tell '{"percent": 100}'
