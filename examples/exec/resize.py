#!/usr/bin/env python3
"""Resizes images, or says that it does: parameters in, log, progress and result out."""
import json
import os
import signal
import sys


def stop(*_):
    """SIGTERM: cancelled, past the deadline, or the worker stops. Clean up here; there is a stop timeout for it."""
    print("asked to stop", file=sys.stderr)
    sys.exit(1)


def main():
    signal.signal(signal.SIGTERM, stop)
    asked = json.load(sys.stdin)
    if not isinstance(asked.get("width"), int):
        sys.exit("parameter width must be a whole number")  # exit status 1: the job is an `error`, and may be retried
    images, finished = asked.get("images", []), []
    with open(os.environ["JOB_PROGRESS"], "w", buffering=1) as progress:  # one line of JSON at a time
        for image in images:
            print(f"{image}: to {asked['width']} pixels", flush=True)  # a line of the job's log
            finished.append(image)
            percent = 100 * len(finished) / len(images)
            print(json.dumps({"percent": percent, "finished": finished}), file=progress)
    with open(os.environ["JOB_RESULT"], "w") as result:
        json.dump({"resized": len(finished), "attempt": int(os.environ["JOB_ATTEMPT"])}, result)


main()
