#!/usr/bin/env python3
"""Pretends to resize images: shows parameters, log, progress, result and a clean stop."""
import json
import os
import signal
import sys


def stop(*_):
    """SIGTERM: the job is cancelled, past its deadline, or its worker stops. Clean up here."""
    print("asked to stop", file=sys.stderr)
    sys.exit(1)


def main():
    signal.signal(signal.SIGTERM, stop)
    parameters = json.load(sys.stdin)
    width, images = parameters.get("width"), parameters.get("images", [])
    if not isinstance(width, int):
        sys.exit("parameter width must be a whole number")  # exit status 1: the job is an `error`
    finished = []
    with open(os.environ["JOB_PROGRESS"], "w", buffering=1) as progress:  # one line of JSON at a time
        for image in images:
            print(f"{image}: to {width} pixels", flush=True)  # a line of the job's log
            finished.append(image)
            percent = 100 * len(finished) / len(images)
            print(json.dumps({"percent": percent, "finished": finished}), file=progress)
    with open(os.environ["JOB_RESULT"], "w") as result:
        json.dump({"resized": len(finished), "attempt": int(os.environ["JOB_ATTEMPT"])}, result)


main()
