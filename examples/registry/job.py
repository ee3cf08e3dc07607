"""What a job says to Capstan, in the words of docs/exec-protocol.md."""
import json
import os
import pathlib

ROOT = pathlib.Path(os.environ["REGISTRY"])
TOKEN = int(os.environ.get("JOB_TOKEN", "0"))


def _say(pipe, **line):
    with open(os.environ[pipe], "w") as said:
        said.write(json.dumps(line) + "\n")


def progress(done, total, message):
    _say("JOB_PROGRESS", percent=100 * done / max(total, 1), message=message)


def spawn(action, key, **parameters):
    """Adds a child. A run that is repeated adds none with the same key again."""
    _say("JOB_CHILDREN", action=action, key=key, parameters=parameters)


def await_children():
    """This job is over when its children are; until then it needs no worker."""
    _say("JOB_CHILDREN", **{"await": True})


def result(**value):
    with open(os.environ["JOB_RESULT"], "w") as file:
        json.dump(value, file)


def write(path, data):
    """All of it or nothing: who reads the file meanwhile sees the old one, who dies here leaves it as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{TOKEN}")
    with open(new, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
