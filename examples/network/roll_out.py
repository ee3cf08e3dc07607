"""roll_out: a dry run of sync_devices, an approval, then the live run, in one job.

Parameters, with their defaults:
  hostnames  which devices (all)
  timeout    how long to wait for the approval (24h)
The job waits for the signal `approved` without a worker and without the lock `devices`. The body of the signal may
reject the roll-out: {"approved": false, "reason": "freeze"}."""
import json
import os
import pathlib
import sys

from sync_devices import send, sync_all


def ask(parameters):
    """Compares only, and shows what would change."""
    result, failed = sync_all(parameters, dry_run=True)
    if failed:
        sys.exit("a device failed in the dry run, so no approval is asked for")
    for device in result["devices"].values():
        print(device["job_tasks"][-1]["diff"], end="")
    # The live run compares again.
    send("JOB_CHECKPOINT", None)
    send("JOB_CHILDREN", {"wait": {"signal": "approved", "timeout": parameters.get("timeout", "24h")}})


def write(parameters, signal):
    """Writes the configurations, if that was approved."""
    answer = signal if isinstance(signal, dict) else {}
    if answer.get("timedOut"):
        sys.exit("the roll-out was not approved in time")
    if answer.get("approved") is False:
        sys.exit(f"the roll-out was rejected: {answer.get('reason', 'no reason was given')}")
    _, failed = sync_all(parameters, dry_run=False)
    if failed:
        sys.exit("a device failed")


def main():
    parameters, signal = json.load(sys.stdin), os.environ.get("JOB_SIGNAL")
    if signal:
        write(parameters, json.loads(pathlib.Path(signal).read_text()))
    else:
        ask(parameters)


main()
