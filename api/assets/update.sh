#!/usr/bin/env bash
# Fetches the scripts of other projects that the web page embeds, with their licences. To update one, change its
# version here, run this, and write the new hash into the test in api/src/web/assets.rs.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# fetch PACKAGE VERSION: unpacks a package of npm into $scratch/package.
fetch() {
  rm -rf "$scratch/package"
  (cd "$scratch" && npm pack --silent "$1@$2" >/dev/null && tar xzf "$1-$2.tgz")
}

fetch htmx.org 4.0.1
cp "$scratch/package/dist/htmx.min.js" htmx.min.js
cp "$scratch/package/LICENSE" htmx.LICENSE

fetch uplot 1.6.32
cp "$scratch/package/dist/uPlot.iife.min.js" uplot.min.js
cp "$scratch/package/dist/uPlot.min.css" uplot.min.css
cp "$scratch/package/LICENSE" uplot.LICENSE
