"""gc: deletes blobs that no manifest refers to. Parameters: dry_run (false); min_age_seconds (3600), because
the manifest of a blob that is being pushed does not exist yet."""
import json
import sys
import time

import job
import layout

parameters = json.load(sys.stdin)
dry_run, min_age = parameters.get("dry_run", False), parameters.get("min_age_seconds", 3600)
if not isinstance(dry_run, bool) or not isinstance(min_age, (int, float)):
    sys.exit("dry_run must be true or false, and min_age_seconds a number")
# Everything is marked before anything is deleted, so an unreadable manifest ends the job with nothing deleted.
kept = set()
for digest, manifest in layout.manifests():
    kept.add(layout.path_of(digest).name)
    kept.update(layout.path_of(blob["digest"]).name for blob in layout.blobs_of(manifest))
blobs, deleted, freed = sorted(layout.BLOBS.iterdir()), 0, 0
for at, blob in enumerate(blobs, 1):
    stat = blob.stat()
    if blob.name not in kept and time.time() - stat.st_mtime >= min_age:
        print(f"{'would delete' if dry_run else 'deleting'} {blob.name}, {stat.st_size} bytes", flush=True)
        if not dry_run:
            blob.unlink()
        deleted, freed = deleted + 1, freed + stat.st_size
    job.progress(at, len(blobs), blob.name)
job.result(kept=len(blobs) - deleted, deleted=deleted, bytes=freed, dry_run=dry_run)
