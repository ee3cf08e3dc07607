"""sync_devices: renders each device's configuration, compares it with the current one, and writes it.

A device is a file, targets/<hostname>.conf. Parameters, with their defaults:
  hostnames         which devices (all)
  dry_run           compare only (true)
  auto_push         start a live run after a dry run that changes no more than max_change_score (false)
  max_change_score  in per cent (50)
A live run needs the lock `devices`. A run continues after the devices that an earlier run of the job has finished."""
import difflib
import json
import os
import pathlib
import string
import sys

ROOT = pathlib.Path(os.environ["NETWORK"])
TOKEN = int(os.environ["JOB_TOKEN"])
HELD = {lock.rpartition("=")[0] for lock in os.environ["JOB_LOCKS"].split()}


def send(pipe, message):
    with open(os.environ[pipe], "w") as lines:
        lines.write(json.dumps(message) + "\n")


def render(hostname, device):
    template = (ROOT / "templates" / f"{device['template']}.conf").read_text()
    return string.Template(template).substitute(device, hostname=hostname)


def write(target, config):
    """Writes a configuration, unless a run with a larger fencing token has written: then this run has lost the lock."""
    fence = target.with_suffix(".token")
    last = int(fence.read_text()) if fence.exists() else 0
    if last > TOKEN:
        raise PermissionError(f"run {last} has already written, and this is run {TOKEN}")
    fence.write_text(str(TOKEN))
    new = target.with_suffix(f".{TOKEN}")
    new.write_text(config)
    os.replace(new, target)


def sync(hostname, device, dry_run):
    """Returns the device's tasks in the format of CNaaS-NMS, and its change score in per cent."""
    task = {"task_name": "push_sync_device", "result": None, "diff": "", "failed": False}
    try:
        config, target = render(hostname, device), ROOT / "targets" / f"{hostname}.conf"
        current = target.read_text() if target.exists() else ""
        lines = [text.splitlines(keepends=True) for text in (current, config)]
        diff = list(difflib.unified_diff(*lines, "running", "rendered"))
        if diff and not dry_run:
            write(target, config)
    except (OSError, KeyError, ValueError) as error:
        return {"failed": True, "job_tasks": [task | {"result": f"{type(error).__name__}: {error}", "failed": True}]}, 0
    changed = sum(line[0] in "+-" for line in diff[2:])
    generated = task | {"task_name": "Generate device config", "result": config}
    synced = task | {"task_name": "Sync device config", "diff": "".join(diff)}
    score = min(100, round(100 * changed / max(1, len(lines[0]) + len(lines[1]))))
    return {"failed": False, "job_tasks": [task, generated, synced]}, score


def sync_all(parameters, dry_run):
    """Syncs the devices that the parameters name. Returns the result of the job, and whether a device failed."""
    devices = json.loads((ROOT / "devices.json").read_text())
    hostnames = parameters.get("hostnames", sorted(devices))
    unknown = [name for name in hostnames if name not in devices]
    if unknown:
        sys.exit(f"hostnames: device {unknown[0]!r} does not exist")
    if not dry_run and "devices" not in HELD:
        sys.exit('a live run needs the lock: submit it with "locks": ["devices"]')
    (ROOT / "targets").mkdir(exist_ok=True)
    resume = os.environ.get("JOB_RESUME")
    state = json.loads(pathlib.Path(resume).read_text()) if resume else {"results": {}, "scores": [0]}
    results, scores = state["results"], state["scores"]
    for hostname in hostnames:
        if hostname in results and not results[hostname]["failed"]:
            continue
        results[hostname], score = sync(hostname, devices[hostname], dry_run)
        print(f"{hostname}: {'failed' if results[hostname]['failed'] else f'change score {score}'}", flush=True)
        scores.append(score)
        send("JOB_CHECKPOINT", state)
        send("JOB_PROGRESS", {"percent": 100 * len(results) / len(hostnames), "finished": list(results)})
    result = {"devices": results, "change_score": max(scores)}
    pathlib.Path(os.environ["JOB_RESULT"]).write_text(json.dumps(result))
    return result, any(device["failed"] for device in results.values())


def main():
    parameters = json.load(sys.stdin)
    dry_run = parameters.get("dry_run", True)
    result, failed = sync_all(parameters, dry_run)
    is_small = result["change_score"] <= parameters.get("max_change_score", 50)
    if dry_run and parameters.get("auto_push") and not failed and is_small:
        live = {"hostnames": list(result["devices"]), "dry_run": False}
        send("JOB_CHILDREN", {"action": "sync_devices", "key": "live", "parameters": live, "locks": ["devices"]})


if __name__ == "__main__":
    main()
