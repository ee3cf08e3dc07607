"""Checks the overlays: against the schemas of Kubernetes, and that what they name exists.

The argument is the folder of the repository. Overlays are built with kubectl or kustomize. Where neither
is recent enough, their files are checked one by one, and a line says so.
"""

import pathlib
import re
import shutil
import subprocess
import sys

import kubernetes_validate
import yaml

VERSION = "1.32"
OVERLAYS = ("single", "high-availability", "keda")
# Made by hand: docs/deployment.md.
SECRETS = {"capstan-scheduler", "capstan-worker", "capstan-api", "capstan-access", "capstan-redis",
           "capstan-rabbitmq", "rabbitmq-cookie", "keda-token"}
# A job that does not end within the grace has its stop timeout, 10 s by default, and some time to record its end.
AFTER_GRACE_S = 45

root = pathlib.Path(sys.argv[1])
folder = root / "deploy/kubernetes"
known_settings = set(re.findall(r"`(CAPSTAN_[A-Z_]+)`", (root / "docs/settings.md").read_text()))
problems = []


def builder():
    """The command that builds an overlay, or None."""
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    if shutil.which("kubectl"):
        found = subprocess.run(["kubectl", "version", "--client"], capture_output=True, text=True)
        if re.search(r"Kustomize Version: v[5-9]", found.stdout):
            return ["kubectl", "kustomize"]
    return None


def files_of(overlay):
    """The documents of an overlay as they are written, without its patches and generators."""
    kustomization = yaml.safe_load((overlay / "kustomization.yaml").read_text())
    for name in kustomization["resources"]:
        path = (overlay / name).resolve()
        if path.is_dir():
            yield from files_of(path)
        else:
            yield from yaml.safe_load_all(path.read_text())
    for generated in kustomization.get("configMapGenerator", []):
        metadata = {"name": generated["name"]}
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def documents(overlay, build):
    if build is None:
        return [one for one in files_of(overlay) if one]
    built = subprocess.run([*build, str(overlay)], capture_output=True, text=True)
    if built.returncode or "deprecated" in built.stderr:
        sys.exit(f"{overlay.name}: {built.stderr}")
    return [one for one in yaml.safe_load_all(built.stdout) if one]


def names(all_documents, kind):
    return {one["metadata"]["name"] for one in all_documents if one["kind"] == kind}


def references(node, field):
    """The names in every object under this field, such as the names of secrets."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == field and isinstance(value, dict):
                yield value.get("name") or value.get("secretName")
            yield from references(value, field)
    elif isinstance(node, list):
        for value in node:
            yield from references(value, field)


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)([smh])", text).groups()
    return int(number) * {"s": 1, "m": 60, "h": 3600}[unit]


def check_container(where, pod, container):
    security = {**pod.get("securityContext", {}), **container.get("securityContext", {})}
    wanted = {"allowPrivilegeEscalation": False, "seccompProfile": {"type": "RuntimeDefault"}}
    for key, value in wanted.items():
        if security.get(key) != value:
            problems.append(f"{where}: {key} is not {value}")
    if security.get("capabilities", {}).get("drop") != ["ALL"]:
        problems.append(f"{where}: it does not drop all capabilities")
    if not security.get("runAsNonRoot") and "CAPSTAN_JOB_USER" not in settings_of(container):
        problems.append(f"{where}: it may run as root, and not to change to another user")
    if "limits" not in container.get("resources", {}):
        problems.append(f"{where}: it has no limit of memory")
    unknown = {name for name in settings_of(container) if name.startswith("CAPSTAN_")} - known_settings
    if unknown:
        problems.append(f"{where}: unknown settings {sorted(unknown)}")


def settings_of(container):
    return {one["name"]: one.get("value", "") for one in container.get("env", [])}


def check_pod(where, labels, template, budgets):
    pod = template["spec"]
    for container in pod.get("initContainers", []) + pod["containers"]:
        check_container(f"{where}/{container['name']}", pod, container)
    for container in pod["containers"]:
        if "readinessProbe" not in container:
            problems.append(f"{where}/{container['name']}: it has no readiness probe")
        grace = settings_of(container).get("CAPSTAN_SHUTDOWN_GRACE")
        ends_in = pod.get("terminationGracePeriodSeconds", 30)
        if grace and ends_in < seconds(grace) + AFTER_GRACE_S:
            problems.append(f"{where}: it is killed after {ends_in} s, within its grace of {grace}")
    if not any(budget.items() <= labels.items() for budget in budgets):
        problems.append(f"{where}: it has no disruption budget")
    if pod.get("automountServiceAccountToken") is not False:
        problems.append(f"{where}: it has a token of the cluster")


def check(overlay, found):
    config_maps = names(found, "ConfigMap")
    budgets = [one["spec"]["selector"]["matchLabels"] for one in found if one["kind"] == "PodDisruptionBudget"]
    pods, capacities = [], {}
    for one in found:
        where = f"{overlay}: {one['kind']} {one['metadata']['name']}"
        if one["apiVersion"].startswith("keda.sh/"):
            print(f"{where}: not validated, because it is not part of Kubernetes")
        else:
            try:
                kubernetes_validate.validate(one, VERSION, strict=True)
            except kubernetes_validate.ValidationError as error:
                problems.append(f"{where}: {list(error.path)}: {error.message}")
        for field, exist in [("secret", SECRETS), ("configMap", config_maps), ("configMapRef", config_maps)]:
            missing = {name for name in references(one, field) if name} - exist
            if missing:
                problems.append(f"{where}: unknown {field} {sorted(missing)}")
        if one["kind"] in ("Deployment", "StatefulSet"):
            template = one["spec"]["template"]
            labels = template["metadata"]["labels"]
            pods.append(labels)
            # One Redis and one RabbitMQ cannot be protected by a budget: it would block every drain.
            single = one["spec"].get("replicas", 2) == 1
            check_pod(where, labels, template, [{}] if single else budgets)
            for container in template["spec"]["containers"]:
                capacities[one["metadata"]["name"]] = settings_of(container).get("CAPSTAN_CAPACITY")
    for one in found:
        where = f"{overlay}: {one['kind']} {one['metadata']['name']}"
        selector = one.get("spec", {}).get("selector", {})
        selector = selector.get("matchLabels", selector) if one["kind"] != "ScaledObject" else {}
        if not any(selector.items() <= labels.items() for labels in pods):
            problems.append(f"{where}: it selects no pod")
        if one["kind"] == "ScaledObject":
            capacity = capacities.get(one["spec"]["scaleTargetRef"]["name"])
            url = one["spec"]["triggers"][0]["metadata"]["url"]
            if capacity is None or not url.endswith(f"?capacity={capacity}"):
                problems.append(f"{where}: its capacity is not that of its workers, {capacity}")


build = builder()
if build is None:
    print("the overlays are not built: kubectl 1.27 or kustomize 5 is needed; their files are checked as they are")
for name in OVERLAYS:
    found = documents(folder / name, build)
    check(name, found)
    print(f"{name}: {len(found)} objects checked against Kubernetes {VERSION}")
if problems:
    sys.exit("\n".join(problems))
