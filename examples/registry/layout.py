"""An OCI image layout on disk: index.json, manifests, blobs by digest. Nothing is believed before its digest is verified."""
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
PIECE_BYTES = 64 << 10


def path_of(digest):
    name = str(digest).removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", name):
        sys.exit(f"{digest!r} is no SHA-256 digest")
    return BLOBS / name


def verify(digest, seconds=0):
    """The blob's path, once all of it has been read, which takes so long at least, and is what its name says."""
    path = path_of(digest)
    if not path.is_file():
        sys.exit(f"there is no blob {path.name}")
    digest, size = hashlib.sha256(), path.stat().st_size
    with open(path, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            time.sleep(seconds * len(piece) / size)
    if digest.hexdigest() != path.name:
        sys.exit(f"blob {path.name} has the digest {digest.hexdigest()}: it is damaged")
    return path


def read(digest):
    """A manifest or an index: small, JSON, verified."""
    path = verify(digest)
    if path.stat().st_size > MANIFEST_BYTES:
        sys.exit(f"manifest {path.name} has more than {MANIFEST_BYTES} bytes")
    return json.loads(path.read_bytes())


def index():
    return json.loads(INDEX.read_bytes())["manifests"]


def tags():
    """Each tag with the descriptor that it stands for."""
    return {entry["annotations"][TAG]: entry for entry in index() if TAG in entry.get("annotations", {})}


def manifests(descriptors=None):
    """Every manifest with its digest; an index of platforms comes before those that it names."""
    for descriptor in index() if descriptors is None else descriptors:
        manifest = read(descriptor["digest"])
        yield descriptor["digest"], manifest
        yield from manifests(manifest.get("manifests", []))


def blobs_of(manifest):
    """The descriptors of its configuration and its layers."""
    return [manifest[key] for key in ["config"] if key in manifest] + manifest.get("layers", [])
