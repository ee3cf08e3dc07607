"""The exec protocol of Capstan (docs/exec-protocol.md) as functions."""
import json
import os
import pathlib

ROOT = pathlib.Path(os.environ["REGISTRY"])
TOKEN = int(os.environ.get("JOB_TOKEN", "0"))


def _send(pipe, **message):
    with open(os.environ[pipe], "w") as lines:
        lines.write(json.dumps(message) + "\n")


def progress(done, total, message):
    _send("JOB_PROGRESS", percent=100 * done / max(total, 1), message=message)


def checkpoint(**state):
    """Saves the state from which the next run of this job continues, whatever ends this one."""
    _send("JOB_CHECKPOINT", **state)


def resume():
    """Returns the state that an earlier run saved last, or None."""
    path = os.environ.get("JOB_RESUME")
    return json.loads(pathlib.Path(path).read_text()) if path else None


def spawn(action, key, **parameters):
    """Creates a child. A repeated run does not create a second child with the same key."""
    _send("JOB_CHILDREN", action=action, key=key, parameters=parameters)


def await_children():
    """Makes the job wait for its children. It occupies no worker while it waits."""
    _send("JOB_CHILDREN", **{"await": True})


def result(**value):
    with open(os.environ["JOB_RESULT"], "w") as file:
        json.dump(value, file)


def write(path, data):
    """Replaces a file atomically: readers, and a crash at any point, see either the old or the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{TOKEN}")
    with open(new, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
