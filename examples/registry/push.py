"""push: builds an image of Debian packages, one layer each, and tags it. Parameters: image; packages, names of
packages that are installed on this machine, or paths of .deb files.

A layer contains the files of its package and the package's entry in var/lib/dpkg/status.d, as in images without
dpkg. A push reads, changes and writes the index, so it needs the lock `layout`."""
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

import job
import layout
import packages

KIND = "application/vnd.oci.image"


def run(*command):
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    except subprocess.CalledProcessError as error:
        sys.exit(f"{command[0]} failed with exit status {error.returncode}")


def reproducible(entry):
    """Clears the modification time of directories, which differs between machines."""
    if entry.isdir():
        entry.mtime = 0
    return entry


def add_files(package, tar):
    """Adds the files of a package. Returns its entry in the status file of dpkg."""
    if package.endswith(".deb"):
        with tarfile.open(fileobj=io.BytesIO(run("dpkg-deb", "--fsys-tarfile", "--", package))) as files:
            for file in files:
                tar.addfile(file, files.extractfile(file) if file.isfile() else None)
        return run("dpkg-deb", "--field", "--", package)
    for path in run("dpkg-query", "--listfiles", "--", package).decode().splitlines():
        # The list also has lines about diversions, and slim images lack manuals.
        if path.startswith("/") and path != "/." and os.path.lexists(path):
            tar.add(path, arcname=f".{path}", recursive=False, filter=reproducible)
    return run("dpkg-query", "--status", "--", package)


def put(data, media_type):
    descriptor = {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}
    job.write(layout.path_of(descriptor["digest"]), data)
    return descriptor


def put_layer(package):
    """Returns the layer, the digest of its tar archive, and the name and version of its package."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        control = add_files(package, tar)
        [(name, version)] = packages.read(control.decode())
        entry = tarfile.TarInfo(f"./var/lib/dpkg/status.d/{name}")
        entry.size = len(control)
        tar.addfile(entry, io.BytesIO(control))
    data = packed.getvalue()
    layer = put(gzip.compress(data, mtime=0), f"{KIND}.layer.v1.tar+gzip")
    print(f"layer {layer['digest']}: {name} {version}, {layer['size']} bytes", flush=True)
    return layer, f"sha256:{hashlib.sha256(data).hexdigest()}", {"package": name, "version": version}


def put_tag(image, descriptor):
    descriptor["annotations"] = {layout.TAG: image}
    entries = layout.index() if layout.INDEX.exists() else []
    others = [entry for entry in entries if entry.get("annotations") != descriptor["annotations"]]
    job.write(layout.LAYOUT / "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
    job.write(layout.INDEX, json.dumps({"schemaVersion": 2, "manifests": [*others, descriptor]}).encode())


parameters = json.load(sys.stdin)
image, names = parameters.get("image"), parameters.get("packages")
if not isinstance(image, str) or not image:
    sys.exit("parameter image must be a string")
if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
    sys.exit("parameter packages must be a list of strings")
layers = []
for name in names:
    layers.append(put_layer(name))
    job.progress(len(layers), len(names), name)
config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff for _, diff, _ in layers]}}
manifest = {
    "schemaVersion": 2,
    "mediaType": f"{KIND}.manifest.v1+json",
    "config": put(json.dumps(config).encode(), f"{KIND}.config.v1+json"),
    "layers": [layer for layer, _, _ in layers],
}
descriptor = put(json.dumps(manifest).encode(), manifest["mediaType"])
put_tag(image, descriptor)
print(f"{image}: {len(layers)} layers, {descriptor['digest']}")
job.result(image=image, manifest=descriptor["digest"], blobs=str(layout.BLOBS.resolve()), layers=[
    {"SHA256SUM": layout.path_of(layer["digest"]).name, "size": layer["size"], **package} for layer, _, package in layers])
