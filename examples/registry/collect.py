"""gc: deletes blobs that no manifest refers to. Parameters: dry_run (false); min_age_seconds (3600), because
the manifest of a blob that is being pushed does not exist yet; seconds (0), the duration, to leave disk bandwidth to
others. A run continues after the last blob that an earlier run of the job has checked."""
import json
import sys
import time

import job
import layout

parameters = json.load(sys.stdin)
dry_run, min_age = parameters.get("dry_run", False), parameters.get("min_age_seconds", 3600)
seconds = parameters.get("seconds", 0)
if not isinstance(dry_run, bool) or not isinstance(min_age, (int, float)):
    sys.exit("dry_run must be true or false, and min_age_seconds a number")
if not isinstance(seconds, (int, float)) or not 0 <= seconds <= 3600:
    sys.exit("parameter seconds must be a number from 0 to 3600")
# Everything is marked before anything is deleted, so an unreadable manifest ends the job with nothing deleted.
kept = set()
for digest, manifest in layout.manifests():
    kept.add(layout.path_of(digest).name)
    kept.update(layout.path_of(blob["digest"]).name for blob in layout.blobs_of(manifest))
state = job.resume() or {"after": "", "checked": 0, "deleted": 0, "bytes": 0}
blobs = sorted(blob for blob in layout.BLOBS.iterdir() if blob.name > state["after"])
total = state["checked"] + len(blobs)
if state["after"]:
    print(f"continuing after {state['after']}, {len(blobs)} blobs are left", flush=True)
for blob in blobs:
    stat = blob.stat()
    if blob.name not in kept and time.time() - stat.st_mtime >= min_age:
        print(f"{'would delete' if dry_run else 'deleting'} {blob.name}, {stat.st_size} bytes", flush=True)
        if not dry_run:
            blob.unlink()
        state["deleted"], state["bytes"] = state["deleted"] + 1, state["bytes"] + stat.st_size
    state["after"], state["checked"] = blob.name, state["checked"] + 1
    job.checkpoint(**state)
    job.progress(state["checked"], total, blob.name)
    time.sleep(seconds / total)
job.result(kept=total - state["deleted"], deleted=state["deleted"], bytes=state["bytes"], dry_run=dry_run)
