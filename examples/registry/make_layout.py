"""Makes an OCI image layout of Debian packages, a layer for each: make_layout.py LAYOUT IMAGE PACKAGE.deb…

A layer holds what the package installs, and its entry in var/lib/dpkg/status.d, as in images without a dpkg."""
import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile

KIND = "application/vnd.oci.image"


def put(layout, data, media_type):
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    (layout / "blobs/sha256" / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


def layer_of(package):
    """The layer, and the digest of its tar."""
    def dpkg(*arguments):
        return subprocess.run(["dpkg-deb", *arguments], check=True, capture_output=True).stdout
    control = dpkg("--field", package)
    name = dpkg("--field", package, "Package").decode().strip()
    packed = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(dpkg("--fsys-tarfile", package))) as files, \
            tarfile.open(fileobj=packed, mode="w") as layer:
        for file in files:
            layer.addfile(file, files.extractfile(file) if file.isfile() else None)
        entry = tarfile.TarInfo(f"./var/lib/dpkg/status.d/{name}")
        entry.size = len(control)
        layer.addfile(entry, io.BytesIO(control))
    tar = packed.getvalue()
    return gzip.compress(tar, mtime=0), f"sha256:{hashlib.sha256(tar).hexdigest()}"


def main(layout, image, packages):
    layers = [layer_of(package) for package in packages]
    rootfs = {"type": "layers", "diff_ids": [diff for _, diff in layers]}
    config = {"architecture": "amd64", "os": "linux", "rootfs": rootfs}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{KIND}.manifest.v1+json",
        "config": put(layout, json.dumps(config).encode(), f"{KIND}.config.v1+json"),
        "layers": [put(layout, data, f"{KIND}.layer.v1.tar+gzip") for data, _ in layers],
    }
    descriptor = put(layout, json.dumps(manifest).encode(), manifest["mediaType"])
    descriptor["annotations"] = {"org.opencontainers.image.ref.name": image}
    index = layout / "index.json"
    there = json.loads(index.read_bytes())["manifests"] if index.exists() else []
    others = [entry for entry in there if entry.get("annotations") != descriptor["annotations"]]
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    index.write_text(json.dumps({"schemaVersion": 2, "manifests": [*others, descriptor]}))
    print(f"{image}: {len(layers)} layers, {descriptor['digest']}")


main(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
