"""scan_check: creates a scan_check_single for each layer of an image and waits for them. Parameters:
image; seconds (0), the minimum duration of each."""
import json
import sys

import job
import layout

parameters = json.load(sys.stdin)
image = parameters.get("image")
tagged = layout.tags().get(image)
if tagged is None:
    sys.exit(f"image {image!r} does not exist; known images: {', '.join(sorted(layout.tags())) or 'none'}")
layers = {}
for digest, manifest in layout.manifests([tagged]):
    for layer in manifest.get("layers", []):
        layers.setdefault(layer["digest"].removeprefix("sha256:"), layer["size"])
duration = {name: parameters[name] for name in ["seconds"] if name in parameters}
for name, size in layers.items():
    print(f"layer {name}: {size} bytes", flush=True)
    job.spawn("scan_check_single", key=name, SHA256SUM=name, **duration)
job.await_children()
job.write(job.ROOT / "scanned" / layout.path_of(tagged["digest"]).name, image.encode())
job.result(image=image, manifest=tagged["digest"], layers=list(layers))
