"""scan_check: does not scan, but asks for a scan_check_single for each layer of an image, and is over when they are. Parameters:
image; seconds (0), how long each of them is to take at least."""
import json
import sys

import job
import layout

asked = json.load(sys.stdin)
image = asked.get("image")
tagged = layout.tags().get(image)
if tagged is None:
    sys.exit(f"there is no image {image!r}; there are {', '.join(sorted(layout.tags())) or 'none'}")
layers = {}
for digest, manifest in layout.manifests([tagged]):
    for layer in manifest.get("layers", []):
        layers.setdefault(layer["digest"].removeprefix("sha256:"), layer["size"])
patience = {name: asked[name] for name in ["seconds"] if name in asked}
for name, size in layers.items():
    print(f"layer {name}: {size} bytes", flush=True)
    job.spawn("scan_check_single", key=name, SHA256SUM=name, **patience)
job.await_children()
job.write(job.ROOT / "scanned" / layout.path_of(tagged["digest"]).name, image.encode())
job.result(image=image, manifest=tagged["digest"], layers=list(layers))
