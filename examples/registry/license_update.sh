#!/usr/bin/env bash
# license_update: installs the feed's licence if it is valid and expires later than the current one. A licence is a
# line "<name> <expiry date>", with its digest beside it as sha256sum writes it.
set -euo pipefail
current=$REGISTRY/license offered=$FEED/license

expiry() { if [ -f "$1" ]; then awk 'NR == 1 { print $NF }' "$1"; fi; }
result() { printf '{"expires": "%s", "extended": %s}\n' "$(expiry "$current")" "$1" >"$JOB_RESULT"; }

[ -f "$offered" ] || { echo "the feed has no licence"; result false; exit; }
(cd "$FEED" && sha256sum --check --strict license.sha256) || { echo "the offered licence is damaged" >&2; exit 1; }
date --date "$(expiry "$offered")" >/dev/null || { echo "the offered licence has no expiry date" >&2; exit 1; }
if [[ ! $(expiry "$offered") > $(expiry "$current") ]]; then
  echo "the licence is valid until $(expiry "$current"); the offered one does not expire later"
  result false
  exit
fi
cp "$offered" "$current.$JOB_TOKEN"
mv "$current.$JOB_TOKEN" "$current"   # atomic
echo "the licence is valid until $(expiry "$current")"
result true
