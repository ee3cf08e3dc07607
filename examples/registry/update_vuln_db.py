"""update_vuln_db: looks whether there is a newer database, verifies it, and swaps it in, whole or not at all.

FEED is a folder or a URL with vulnerabilities.json and vulnerabilities.json.sha256, as sha256sum writes it."""
import hashlib
import json
import os
import pathlib
import sys
import urllib.request

import job

FILE = "vulnerabilities.json"
BYTES = 256 << 20


def fetch(name):
    feed = os.environ["FEED"]
    if not feed.startswith(("http://", "https://")):
        feed = pathlib.Path(feed).resolve().as_uri()
    with urllib.request.urlopen(f"{feed}/{name}", timeout=30) as answer:
        data = answer.read(BYTES + 1)
    if len(data) > BYTES:
        sys.exit(f"{name} has more than {BYTES} bytes")
    return data


def checked(data):
    database = json.loads(data)
    if not isinstance(database.get("version"), int):
        sys.exit("the database has no version, a whole number")
    for entry in database.get("vulnerabilities", [None]):
        if not isinstance(entry, dict) or not {"id", "package", "fixed"} <= entry.keys():
            sys.exit(f"the database has an entry that is none: {str(entry)[:200]}")
    return database


here = job.ROOT / FILE
version = json.loads(here.read_bytes())["version"] if here.exists() else 0
wanted = fetch(f"{FILE}.sha256").split()[0].decode()
if here.exists() and hashlib.sha256(here.read_bytes()).hexdigest() == wanted:
    print(f"version {version} is the newest")
    job.result(version=version, updated=False)
    sys.exit()
data = fetch(FILE)
found = hashlib.sha256(data).hexdigest()
if found != wanted:
    sys.exit(f"the database has the digest {found}, and should have {wanted}: it is left as it was")
new = checked(data)
if new["version"] < version:
    sys.exit(f"the feed has version {new['version']}, older than {version}: it is left as it was")
job.write(here, data)
print(f"from version {version} to {new['version']}, {len(new['vulnerabilities'])} vulnerabilities")
job.result(version=new["version"], updated=True)
