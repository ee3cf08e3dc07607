"""tagmigration and bloblinkmigration: rebuild a table of data/index.sqlite from the layout.

One transaction: readers see the old table until it is complete, and a repeated run builds the same table."""
import contextlib
import sqlite3
import sys

import job
import layout

TABLES = {
    "tags": ("tag TEXT PRIMARY KEY, manifest TEXT NOT NULL, media_type TEXT NOT NULL", lambda: (
        (tag, entry["digest"], entry.get("mediaType", "")) for tag, entry in layout.tags().items())),
    "links": ("blob TEXT NOT NULL, manifest TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (blob, manifest)", lambda: (
        (blob["digest"], digest, blob["size"])
        for digest, manifest in layout.manifests() for blob in layout.blobs_of(manifest))),
}

table = sys.argv[1]
columns, rows = TABLES[table]
with contextlib.closing(sqlite3.connect(job.ROOT / "index.sqlite", timeout=30)) as database, database:
    database.execute("BEGIN IMMEDIATE")
    database.execute(f"DROP TABLE IF EXISTS {table}")
    database.execute(f"CREATE TABLE {table} ({columns})")
    placeholders = ", ".join("?" * (columns.split("PRIMARY KEY (")[0].count(" TEXT") + columns.count(" INTEGER")))
    database.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({placeholders})", rows())
    count = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
print(f"{count} {table}")
job.result(**{table: count})
