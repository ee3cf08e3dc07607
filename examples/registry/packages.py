"""Debian packages: where a layer lists them, and how versions are ordered. No I/O."""
import functools
import itertools
import re

STATUS = "var/lib/dpkg/status"


def is_package_list(file):
    """Returns true for the status file of dpkg, and for the files of images with one per package."""
    path = file.name.removeprefix("./")
    return file.isfile() and (path == STATUS or path.startswith(STATUS + ".d/") and not path.endswith(".md5sums"))


def read(text):
    """Returns name and version of each installed package."""
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", paragraph, re.MULTILINE))
        installed = fields.get("Status", "install ok installed").endswith(" installed")
        if installed and "Package" in fields and "Version" in fields:
            found.append((fields["Package"], fields["Version"]))
    return found


def vulnerable(found, vulnerabilities):
    """Returns the packages older than the fixed version, or without a fix (`fixed` is null)."""
    by_name = {}
    for entry in vulnerabilities:
        by_name.setdefault(entry["package"], []).append(entry)
    return [
        {"id": entry["id"], "package": name, "version": version, "fixed": entry["fixed"]}
        for name, version in found
        for entry in by_name.get(name, [])
        if entry["fixed"] is None or compare(version, entry["fixed"]) < 0
    ]


def compare(left, right):
    """Orders versions as `dpkg --compare-versions` does: [epoch:]upstream[-revision]. Returns -1, 0 or 1."""
    def parts(version):
        epoch, colon, rest = version.partition(":")
        upstream, _, revision = (rest if colon else version).rpartition("-")
        return (epoch if colon else "0", upstream or revision, revision if upstream else "")
    pairs = zip(parts(left), parts(right))
    return next((order for pair in pairs if (order := _compare_part(*pair))), 0)


def _compare_part(left, right):
    split = functools.partial(re.findall, r"(\D*)(\d*)")
    pairs = itertools.zip_longest(split(left), split(right), fillvalue=("", ""))
    for (text, number), (other_text, other_number) in pairs:
        # A tilde sorts before the end of a part, letters before all other characters.
        for a, b in itertools.zip_longest(map(_rank, text), map(_rank, other_text), fillvalue=0):
            if a != b:
                return -1 if a < b else 1
        if int(number or 0) != int(other_number or 0):
            return -1 if int(number or 0) < int(other_number or 0) else 1
    return 0


def _rank(character):
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
