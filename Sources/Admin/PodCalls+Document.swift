import HTTPTypes

extension PodCalls {
    static let document =
        [
            CallDocument(
                method: .get,
                path: "/admin/api/pods",
                summary: "Each pod, and what this gateway has placed on it",
                answers: [.json(.object(["pods": .list(of: .named("Pod")), "discovery": .named("Discovery")]))]
            )
        ]
        + [
            ("drain", "Sends nothing new to a pod; it finishes what it has"),
            ("undrain", "Takes a drain back"),
            ("reset", "Closes a pod's breaker"),
        ].map { verb, summary in
            CallDocument(
                method: .post,
                path: "/admin/api/pods/{id}/\(verb)",
                summary: summary,
                parameters: [.path("id", .text.about("Percent-encoded."))],
                answers: [.json(.named("Pod"), "The pod afterwards.")],
                problems: [404]
            )
        }

    static let schemas: [(String, Schema)] = [("Pod", pod), ("Discovery", discovery)]

    private static let discovery = Schema.object(
        [
            "mode": .text.about("How pods are found: `static`, `kubernetes` and so on."),
            "skipped": .list(
                of: .object(
                    [
                        "name": .text,
                        "reason": .text,
                        "mistake": .flag.about("Whether somebody has to mend it; otherwise it passes by itself."),
                    ],
                    maybe: ["namespace": .text, "node": .text]
                )
            ).about("Pods that were found and are not used: mistakes first, at most 200."),
        ],
        maybe: ["problem": .text.about("What keeps the gateway from finding pods; the last known ones stay.")]
    )

    private static let pod = Schema.object(
        [
            "id": .text,
            "url": .text,
            "routable": .flag,
            "healthy": .flag,
            "stale": .flag,
            "draining": .flag.about("Gets nothing new, since discovery or an operator says so."),
            "drained": .flag.about("An operator says so."),
            "gone": .flag,
            "total_reported": .flag.about("Whether `total` is the pod's own word."),
            "leased": .named("Needs"),
            "leases": .count,
            "failed_polls": .count,
            "breaker": .word(["closed", "open", "half_open"]),
            "counts": counts,
        ],
        maybe: [
            "name": .text,
            "namespace": .text,
            "node": .text,
            "total": .named("Needs"),
            "available": .named("Needs"),
            "idle_workers": .number,
            "total_workers": .count,
            "sample_age": .seconds,
            "poll_problem": .text,
            "breaker_reopens_in": .seconds,
            "reserved_for_route": .text,
        ]
    )

    private static let counts = Schema.object([
        "dispatched": .count, "answered": .count, "server_errors": .count, "busy": .count,
        "connect_failed": .count,
        "timeouts": .count, "resets": .count, "aborted": .count, "polls": .count,
        "polls_failed": .count,
    ])
}
