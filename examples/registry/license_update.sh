#!/usr/bin/env bash
# license_update: takes an extension of the licence, if the feed has one that is good and later. A licence is a line
# "<name> <date of its end>"; beside it stands its digest, as sha256sum writes it.
set -euo pipefail
here=$REGISTRY/license offered=$FEED/license

ends() { if [ -f "$1" ]; then awk 'NR == 1 { print $NF }' "$1"; fi; }
answer() { printf '{"expires": "%s", "extended": %s}\n' "$(ends "$here")" "$1" >"$JOB_RESULT"; }

[ -f "$offered" ] || { echo "no extension is offered"; answer false; exit; }
(cd "$FEED" && sha256sum --check --strict license.sha256) || { echo "the offered licence is damaged" >&2; exit 1; }
date --date "$(ends "$offered")" >/dev/null || { echo "the offered licence has no end" >&2; exit 1; }
if [[ ! $(ends "$offered") > $(ends "$here") ]]; then
  echo "the licence holds until $(ends "$here"), and none that is offered holds longer"
  answer false
  exit
fi
cp "$offered" "$here.$JOB_TOKEN"
mv "$here.$JOB_TOKEN" "$here"   # whole or not at all
echo "the licence holds until $(ends "$here")"
answer true
