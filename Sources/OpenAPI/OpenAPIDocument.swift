package import Core

/// What the gateway and the sidecar read of an OpenAPI document: its operations, and what each says of resources and timeouts.
///
/// Extensions stand on an operation, or as defaults on its path item or on the document, each value by itself:
/// - `x-neutrino-resources: {num_cpus, num_gpus, memory_gb}`: numbers from 0 to 1,000,000, fractions allowed; one that is left out
///   comes from the path item, the document, or `DEFAULT_RESOURCES`.
/// - `x-neutrino-hold-timeout`, `x-neutrino-request-timeout`: seconds, fractions allowed.
/// - `x-neutrino-max-concurrency`: how many of its requests may be with pods at once, a whole number from 1 to 1,000,000.
/// - `x-neutrino-retry`: `idempotent`, `always`, `idempotency-key` or `never`.
///
/// Paths are matched as they are written. A path in `servers` (`https://api.example.org/v1`, or what FastAPI writes for
/// `root_path`) may or may not have been cut off before a request arrives here, so it is matched with it too, unless that is
/// another operation's path as written: see ``matcher(of:)``.
package struct OpenAPIDocument: Sendable {
    /// The path it was read from, as it was given.
    package var file: String
    /// The value of `openapi`: `3.1.0`.
    package var version: String
    /// In the order of the file.
    package var operations: [APIOperation]
    /// What the document says for all its operations; already in theirs.
    package var defaults: OperationSettings
    /// What was read past but is likely a mistake, in words, with its place: an unknown `x-neutrino-` extension.
    package var warnings: [String]

    /// A matcher of values made of each operation: at its path as written, and behind its servers' base paths where nothing is
    /// written there.
    package func matcher<Value>(of value: (APIOperation) -> Value) -> PathMatcher<Value> {
        var matcher = PathMatcher<Value>()
        let values = operations.map(value)
        // Reading has refused operations that conflict, so none does here; base paths yield, in the order of the file.
        for (operation, value) in zip(operations, values) {
            try? matcher.insert(value, at: operation.path, method: operation.method)
        }
        for (operation, value) in zip(operations, values) {
            for path in operation.pathsBehindServers { try? matcher.insert(value, at: path, method: operation.method) }
        }
        return matcher
    }
}

/// An operation of an OpenAPI document.
package struct APIOperation: Sendable {
    package var method: RequestMethod
    /// As written.
    package var path: PathTemplate
    /// The same behind the base paths of the `servers` that hold for it; those without a path of their own add nothing.
    package var pathsBehindServers: [PathTemplate]
    package var operationID: String?
    /// The operation's own values over its path item's over the document's.
    package var settings: OperationSettings
    /// Where it is in the file, from 1.
    package var line: Int
}

/// What the extensions say; nil where they say nothing.
package struct OperationSettings: Hashable, Sendable {
    package var needs = StatedNeeds()
    package var holdTimeout: Duration?
    package var requestTimeout: Duration?
    package var retry: RetryRule?
    package var maxConcurrency: Int?
    package var maxQueueDepth: Int?

    package init() {}

    /// These values, and those of `fallback` where there are none.
    func filled(from fallback: OperationSettings) -> OperationSettings {
        var settings = self
        settings.needs.cpus = needs.cpus ?? fallback.needs.cpus
        settings.needs.gpus = needs.gpus ?? fallback.needs.gpus
        settings.needs.memory = needs.memory ?? fallback.needs.memory
        settings.holdTimeout = holdTimeout ?? fallback.holdTimeout
        settings.requestTimeout = requestTimeout ?? fallback.requestTimeout
        settings.retry = retry ?? fallback.retry
        settings.maxConcurrency = maxConcurrency ?? fallback.maxConcurrency
        settings.maxQueueDepth = maxQueueDepth ?? fallback.maxQueueDepth
        return settings
    }
}

/// `x-neutrino-resources`: thousandths, rounded up; nil where a component is not given.
package struct StatedNeeds: Hashable, Sendable {
    package var cpus: Int64?
    package var gpus: Int64?
    package var memory: Int64?

    package init(cpus: Int64? = nil, gpus: Int64? = nil, memory: Int64? = nil) {
        self.cpus = cpus
        self.gpus = gpus
        self.memory = memory
    }

    package var isEmpty: Bool { cpus == nil && gpus == nil && memory == nil }

    /// The needs, with what is not given from `defaults` (`DEFAULT_RESOURCES`).
    package func filled(from defaults: ResourceVector) -> ResourceVector {
        ResourceVector(cpus: cpus ?? defaults.cpus, gpus: gpus ?? defaults.gpus, memory: memory ?? defaults.memory)
    }
}
