"""scan_check_all: scans every image that was scanned before again, with the current database."""
import job
import layout

scanned = job.ROOT / "scanned"
names = {path.name for path in scanned.iterdir()} if scanned.is_dir() else set()
images = [tag for tag, entry in layout.tags().items() if layout.path_of(entry["digest"]).name in names]
for image in sorted(images):
    print(image, flush=True)
    job.spawn("scan_check", key=image, image=image)
job.await_children()
job.result(images=sorted(images))
