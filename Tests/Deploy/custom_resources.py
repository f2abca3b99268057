"""Schemas of the custom resources that the manifests use, as far as they use them: their definitions come with their operators, not with
Kubernetes. From the API references of Prometheus Operator (monitoring.coreos.com/v1) and KEDA (keda.sh/v1alpha1).
"""


def known(required: list[str], **properties: dict) -> dict:
    """An object with these members and no others."""
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
LABELS = {"type": "object", "additionalProperties": TEXT}
DURATION = {"type": "string", "pattern": r"^([0-9]+(ms|s|m|h))+$"}
METADATA = known(["name", "namespace"], name=TEXT, namespace=TEXT, labels=LABELS, annotations=LABELS)


def resource(api_version: str, kind: str, spec: dict) -> dict:
    return known(
        ["apiVersion", "kind", "metadata", "spec"], apiVersion={"const": api_version}, kind={"const": kind}, metadata=METADATA, spec=spec
    )


SERVICE_MONITOR = known(
    ["selector", "endpoints"],
    jobLabel=TEXT,
    selector=known(["matchLabels"], matchLabels=LABELS),
    endpoints={
        "type": "array",
        "minItems": 1,
        "items": known(["port"], port=TEXT, path=TEXT, scheme={"enum": ["http", "https"]}, interval=DURATION, scrapeTimeout=DURATION),
    },
)

BEHAVIOUR = known([], stabilizationWindowSeconds={"type": "integer", "minimum": 0, "maximum": 3600}, policies={"type": "array"})

#: Of the trigger `prometheus`; KEDA takes every value of its metadata as text.
PROMETHEUS = known(
    ["serverAddress", "query", "threshold"],
    serverAddress={"type": "string", "pattern": "^https?://"},
    query=TEXT,
    threshold={"type": "string", "pattern": r"^[0-9.]+$"},
    activationThreshold={"type": "string", "pattern": r"^[0-9.]+$"},
    ignoreNullValues={"enum": ["true", "false"]},
)

SCALED_OBJECT = known(
    ["scaleTargetRef", "triggers"],
    scaleTargetRef=known(["name"], name=TEXT, kind=TEXT, apiVersion=TEXT),
    minReplicaCount=COUNT,
    maxReplicaCount={"type": "integer", "minimum": 1},
    idleReplicaCount={"const": 0},
    pollingInterval=COUNT,
    cooldownPeriod=COUNT,
    # Without `behavior` (KEDA 2.17) it is `static`: that many, even where more are busy.
    fallback=known(["failureThreshold", "replicas", "behavior"], failureThreshold=COUNT, replicas=COUNT, behavior={"const": "currentReplicasIfHigher"}),
    advanced=known(
        [],
        horizontalPodAutoscalerConfig=known([], behavior=known([], scaleUp=BEHAVIOUR, scaleDown=BEHAVIOUR)),
    ),
    triggers={
        "type": "array",
        "minItems": 1,
        # `fallback` counts only for AverageValue.
        "items": known(["type", "metadata"], type={"const": "prometheus"}, metricType={"const": "AverageValue"}, metadata=PROMETHEUS),
    },
)

SCHEMAS = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): resource("monitoring.coreos.com/v1", "ServiceMonitor", SERVICE_MONITOR),
    ("keda.sh/v1alpha1", "ScaledObject"): resource("keda.sh/v1alpha1", "ScaledObject", SCALED_OBJECT),
}
