"""update_vuln_db: fetches a newer database if there is one, verifies it, and replaces the current one atomically.

FEED is a folder or a URL with vulnerabilities.json and vulnerabilities.json.sha256, as sha256sum writes it."""
import hashlib
import json
import os
import pathlib
import sys
import urllib.request

import job

FILE = "vulnerabilities.json"
MAX_BYTES = 256 << 20


def fetch(name):
    feed = os.environ["FEED"]
    if not feed.startswith(("http://", "https://")):
        feed = pathlib.Path(feed).resolve().as_uri()
    with urllib.request.urlopen(f"{feed}/{name}", timeout=30) as response:
        data = response.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        sys.exit(f"{name} has more than {MAX_BYTES} bytes")
    return data


def parse(data):
    database = json.loads(data)
    if not isinstance(database.get("version"), int):
        sys.exit("the version of the database must be a whole number")
    for entry in database.get("vulnerabilities", [None]):
        if not isinstance(entry, dict) or not {"id", "package", "fixed"} <= entry.keys():
            sys.exit(f"the database has an invalid entry: {str(entry)[:200]}")
    return database


current = job.ROOT / FILE
version = json.loads(current.read_bytes())["version"] if current.exists() else 0
expected = fetch(f"{FILE}.sha256").split()[0].decode()
if current.exists() and hashlib.sha256(current.read_bytes()).hexdigest() == expected:
    print(f"version {version} is up to date")
    job.result(version=version, updated=False)
    sys.exit()
data = fetch(FILE)
digest = hashlib.sha256(data).hexdigest()
if digest != expected:
    sys.exit(f"the new database has digest {digest} instead of {expected}; the current one is kept")
new = parse(data)
if new["version"] < version:
    sys.exit(f"the feed has version {new['version']}, older than {version}; the current one is kept")
job.write(current, data)
print(f"updated from version {version} to {new['version']}, {len(new['vulnerabilities'])} vulnerabilities")
job.result(version=new["version"], updated=True)
