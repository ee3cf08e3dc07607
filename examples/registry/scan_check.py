"""scan_check: does not scan, but asks for a scan_check_single for each layer of an image, and is over when they are."""
import sys

import job
import layout

image = sys.argv[1]
tagged = layout.tags().get(image)
if tagged is None:
    sys.exit(f"there is no image {image!r}; there are {', '.join(sorted(layout.tags())) or 'none'}")
layers = {}
for digest, manifest in layout.manifests([tagged]):
    for layer in manifest.get("layers", []):
        layers.setdefault(layer["digest"].removeprefix("sha256:"), layer["size"])
for name, size in layers.items():
    print(f"layer {name}: {size} bytes", flush=True)
    job.spawn("scan_check_single", key=name, SHA256SUM=name)
job.await_children()
job.write(job.ROOT / "scanned" / layout.path_of(tagged["digest"]).name, image.encode())
job.result(image=image, manifest=tagged["digest"], layers=list(layers))
