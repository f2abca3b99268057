#!/usr/bin/env python3
"""What is wrong with the rendered manifests: against the schemas of Kubernetes, and among themselves.

As a program it prints what it found as JSON, for `make verify`.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

from custom_resources import SCHEMAS

REPOSITORY = Path(__file__).resolve().parents[2]
RENDERED = REPOSITORY / "deploy/kubernetes/rendered"
#: The oldest that the manifests are for.
OLDEST = (1, 28)


def names() -> list[str]:
    return sorted(file.stem for file in RENDERED.glob("*.yaml"))


def load(name: str) -> list[dict]:
    return [each for each in yaml.safe_load_all((RENDERED / f"{name}.yaml").read_text()) if each]


def versions() -> list[str]:
    """The versions of Kubernetes whose schemas are there, from the oldest that counts."""
    every = {kubernetes_validate.utils.major_minor(each) for each in kubernetes_validate.utils.all_versions()}
    return sorted((each for each in every if parts(each) >= OLDEST), key=parts)


def parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def title(resource: dict) -> str:
    return f"{resource['kind']} {resource['metadata']['name']}"


def schema_objections(resources: list[dict], version: str) -> Iterator[str]:
    """By the strict schemas, in which a misspelt field is an error; custom resources by those that are here."""
    for resource in resources:
        try:
            if schema := SCHEMAS.get((resource["apiVersion"], resource["kind"])):
                jsonschema.Draft202012Validator(schema).validate(resource)
            else:
                kubernetes_validate.validate(resource, version, strict=True)
        except (jsonschema.ValidationError, kubernetes_validate.SchemaNotFoundError) as problem:
            yield f"{title(resource)} on {version}: {problem.message}"


class Fleet:
    """The resources of one rendering, and what they say about each other."""

    def __init__(self, resources: list[dict]):
        self.resources = resources

    def kind(self, *kinds: str) -> list[dict]:
        return [each for each in self.resources if each["kind"] in kinds]

    def named(self, kind: str, name: str) -> dict | None:
        return next((each for each in self.kind(kind) if each["metadata"]["name"] == name), None)

    @property
    def workloads(self) -> list[dict]:
        return self.kind("Deployment", "StatefulSet")

    def chosen(self, labels: dict | None) -> list[dict]:
        """The workloads whose pods have all of some labels."""
        return [each for each in self.workloads if (labels or {}).items() <= each["spec"]["template"]["metadata"]["labels"].items()]

    def objections(self) -> Iterator[str]:
        for workload in self.workloads:
            yield from (f"{title(workload)}: {each}" for each in self.of_workload(workload))
        for service in self.kind("Service"):
            yield from self.of_ports(service, service["spec"]["selector"], [port["targetPort"] for port in service["spec"]["ports"]])
        for policy in self.kind("NetworkPolicy"):
            ports = [port["port"] for rule in policy["spec"].get("ingress", []) for port in rule.get("ports", [])]
            yield from self.of_ports(policy, policy["spec"]["podSelector"]["matchLabels"], ports)
            for rule in policy["spec"].get("egress", []):
                for peer in (each for each in rule.get("to", []) if "podSelector" in each):
                    yield from self.of_ports(policy, peer["podSelector"]["matchLabels"], [port["port"] for port in rule.get("ports", [])])
        for budget in self.kind("PodDisruptionBudget"):
            yield from self.of_ports(budget, budget["spec"]["selector"]["matchLabels"], [])
        for monitor in self.kind("ServiceMonitor"):
            labels = monitor["spec"]["selector"]["matchLabels"]
            services = [each for each in self.kind("Service") if labels.items() <= each["metadata"].get("labels", {}).items()]
            found = {port["name"] for each in services for port in each["spec"]["ports"]}
            yield from (f"{title(monitor)}: no Service has the port {each['port']}" for each in monitor["spec"]["endpoints"] if each["port"] not in found)
        for scaled in self.kind("ScaledObject"):
            target = self.named("Deployment", scaled["spec"]["scaleTargetRef"]["name"])
            if target is None:
                yield f"{title(scaled)}: no such Deployment"
            elif "replicas" in target["spec"]:
                yield f"{title(scaled)}: replicas of {title(target)} would be put back by each apply"

    def of_ports(self, resource: dict, labels: dict, ports: list) -> Iterator[str]:
        """A selector has to choose something, and ports that are named have to be there: in `containers`, since not every network plugin looks
        for names among init containers (projectcalico/calico#8881), native sidecars included."""
        workloads = self.chosen(labels)
        if not workloads:
            yield f"{title(resource)}: chooses no pods"
        for workload in workloads:
            template = workload["spec"]["template"]["spec"]
            named = {port["name"] for container in template["containers"] for port in container.get("ports", []) if "name" in port}
            numbers = {port["containerPort"] for container in containers(workload) for port in container.get("ports", [])}
            for port in ports:
                if port not in (named if isinstance(port, str) else numbers):
                    yield f"{title(resource)}: no container of {title(workload)} has the port {port}"

    def of_workload(self, workload: dict) -> Iterator[str]:
        pod = workload["spec"]["template"]["spec"]
        if self.chosen(workload["spec"]["selector"]["matchLabels"]) != [workload]:
            yield "its selector chooses other pods than its own"
        if pod.get("enableServiceLinks", True):
            yield "variables of Services may be taken for settings"
        account = pod.get("serviceAccountName")
        if account and not self.named("ServiceAccount", account):
            yield f"no ServiceAccount {account}"
        if not account and pod.get("automountServiceAccountToken", True):
            yield "its pods get a token that they have no use for"
        volumes = {each["name"]: each for each in pod.get("volumes", [])}
        for volume in volumes.values():
            if "configMap" in volume and not self.named("ConfigMap", volume["configMap"]["name"]):
                yield f"no ConfigMap {volume['configMap']['name']}"
        claims = {each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", [])}
        own = pod["securityContext"]
        if not own.get("runAsNonRoot") or own.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield "may run as root, or without seccomp"
        for container in containers(workload):
            name = container["name"]
            context = container.get("securityContext", {})
            if context.get("allowPrivilegeEscalation", True) or not context.get("readOnlyRootFilesystem") or context["capabilities"] != {"drop": ["ALL"]}:
                yield f"{name} may do more than it has to"
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes.keys() | claims:
                    yield f"{name} mounts {mount['name']}, which is not there"
                if "subPath" in mount:
                    yield f"{name} would not see changes of {mount['mountPath']}"
            if not {"cpu", "memory"} <= container["resources"]["requests"].keys() or "memory" not in container["resources"]["limits"]:
                yield f"{name} does not say what it needs"
            for variable in container.get("env", []):
                reference = variable.get("valueFrom", {}).get("resourceFieldRef")
                if reference and reference["containerName"] not in {each["name"] for each in containers(workload)}:
                    yield f"{variable['name']}: no container {reference['containerName']}"


def containers(workload: dict) -> list[dict]:
    pod = workload["spec"]["template"]["spec"]
    return [*pod.get("initContainers", []), *pod["containers"]]


SUFFIXES = {"": 1, "m": 0.001, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def quantity(text: str) -> float:
    number = text.rstrip("mkMGKi")
    return float(number) * SUFFIXES[text[len(number) :]]


def environment(container: dict, workload: dict, pod: dict) -> dict[str, str]:
    """The variables of a container as the kubelet would set them; `pod` stands in for what is read from the pod, by path."""
    values: dict[str, str] = {}
    for variable in container.get("env", []):
        source = variable.get("valueFrom", {})
        if "value" in variable:
            value = variable["value"]
            for name, known in values.items():
                value = value.replace(f"$({name})", known)
        elif reference := source.get("resourceFieldRef"):
            kind, name = reference["resource"].split(".")
            [of] = [each for each in containers(workload) if each["name"] == reference["containerName"]]
            # Rounded up, as the kubelet does.
            value = str(math.ceil(quantity(of["resources"][kind][name]) / quantity(reference["divisor"])))
        else:
            value = pod[source["fieldRef"]["fieldPath"]]
        values[variable["name"]] = value
    return values


def sidecars(name: str) -> list[dict]:
    """What `neutrino-pod` is started with in an overlay, and what the server beside it may have."""
    fleet = Fleet(load(name))
    found = []
    for workload in fleet.workloads:
        for container in containers(workload):
            if container["name"] == "neutrino-pod":
                [server] = [each for each in containers(workload) if each is not container]
                limits = server["resources"]["limits"]
                found.append(
                    {
                        "overlay": name,
                        "name": workload["metadata"]["name"],
                        "args": container["args"],
                        "environment": environment(container, workload, {"metadata.name": "pod-0"}),
                        "openapi": fleet.named("ConfigMap", "neutrino-openapi")["data"]["openapi.yaml"],
                        "cpus": quantity(limits["cpu"]),
                        "gpus": float(limits.get("nvidia.com/gpu", 0)),
                        "memory_gb": quantity(limits["memory"]) / 10**9,
                    }
                )
    return found


def main() -> int:
    found: list[str] = []
    count = 0
    for name in names():
        resources = load(name)
        count += len(resources)
        found += [f"{name}: {each}" for version in versions() for each in schema_objections(resources, version)]
        found += [f"{name}: {each}" for each in Fleet(resources).objections()]
    every = [each for name in names() for each in sidecars(name)]
    print(json.dumps({"resources": count, "versions": versions(), "objections": found, "sidecars": every}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
