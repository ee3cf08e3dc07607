"""scan_check_single: verifies a layer, lists its Debian packages, and reports which are vulnerable. Parameters:
SHA256SUM; seconds (0), the minimum duration, to leave disk bandwidth to others."""
import json
import sys
import tarfile

import job
import layout
import packages

parameters = json.load(sys.stdin)
name, seconds = parameters.get("SHA256SUM", ""), parameters.get("seconds", 0)
if not isinstance(seconds, (int, float)) or not 0 <= seconds <= 3600:
    sys.exit("parameter seconds must be a number from 0 to 3600")
blob = layout.verify(name, seconds)
print(f"layer {name} verified, {blob.stat().st_size} bytes", flush=True)
database = json.loads((job.ROOT / "vulnerabilities.json").read_bytes())
found = []
try:
    with tarfile.open(blob, "r:*") as layer:   # file by file, to limit memory
        for file in layer:
            if packages.is_package_list(file):
                found += packages.read(layer.extractfile(file).read().decode())
except tarfile.TarError as error:
    sys.exit(f"layer {name} is not a readable tar archive: {error}")
for at, (package, version) in enumerate(found, 1):
    print(f"{package} {version}", flush=True)
    job.progress(at, len(found), package)
matches = packages.vulnerable(found, database["vulnerabilities"])
for match in matches:
    fixed = f"fixed in {match['fixed']}" if match["fixed"] else "no fix yet"
    print(f"{match['id']}: {match['package']} {match['version']}, {fixed}", file=sys.stderr)
report = {"SHA256SUM": name, "database": database["version"], "components": len(found), "vulnerabilities": matches}
job.write(job.ROOT / "reports" / f"{name}.json", json.dumps(report).encode())
job.result(**report)
