"""An OCI image layout on disk: index.json, manifests, blobs by digest. Blobs are verified before they are used."""
import hashlib
import json
import re
import sys
import time

from job import ROOT

LAYOUT = ROOT / "layout"
INDEX = LAYOUT / "index.json"
BLOBS = LAYOUT / "blobs" / "sha256"
TAG = "org.opencontainers.image.ref.name"
MANIFEST_BYTES = 4 << 20
CHUNK_BYTES = 64 << 10


def path_of(digest):
    name = str(digest).removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", name):
        sys.exit(f"{digest!r} is not a SHA-256 digest")
    return BLOBS / name


def verify(digest, seconds=0):
    """Reads a blob, in at least this many seconds, and returns its path if its digest is right."""
    path = path_of(digest)
    if not path.is_file():
        sys.exit(f"blob {path.name} does not exist")
    digest, size = hashlib.sha256(), path.stat().st_size
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            time.sleep(seconds * len(chunk) / size)
    if digest.hexdigest() != path.name:
        sys.exit(f"blob {path.name} has digest {digest.hexdigest()}: it is damaged")
    return path


def read(digest):
    """Returns a verified manifest or index."""
    path = verify(digest)
    if path.stat().st_size > MANIFEST_BYTES:
        sys.exit(f"manifest {path.name} has more than {MANIFEST_BYTES} bytes")
    return json.loads(path.read_bytes())


def index():
    return json.loads(INDEX.read_bytes())["manifests"]


def tags():
    """Returns the descriptor of each tag."""
    return {entry["annotations"][TAG]: entry for entry in index() if TAG in entry.get("annotations", {})}


def manifests(descriptors=None):
    """Yields every manifest with its digest; a multi-platform index comes before its manifests."""
    for descriptor in index() if descriptors is None else descriptors:
        manifest = read(descriptor["digest"])
        yield descriptor["digest"], manifest
        yield from manifests(manifest.get("manifests", []))


def blobs_of(manifest):
    """Returns the descriptors of a manifest's configuration and layers."""
    return [manifest[key] for key in ["config"] if key in manifest] + manifest.get("layers", [])
