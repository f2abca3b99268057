package import Core

/// One entry of the configuration's `routes:`. What it does not say comes from the OpenAPI document, else from the defaults.
package struct RouteRule: Sendable, Equatable {
    /// In upper case; nil for every method of the path.
    package var method: String?
    /// A path template: `/v1/infer/{model}`.
    package var path: String
    package var cpus: Double?
    package var gpus: Double?
    package var memoryGB: Double?
    package var holdTimeout: Duration?
    package var requestTimeout: Duration?
    package var retry: RetryRule?
    package var maxConcurrency: Int?
    package var maxQueueDepth: Int?

    package init(
        method: String? = nil,
        path: String,
        cpus: Double? = nil,
        gpus: Double? = nil,
        memoryGB: Double? = nil,
        holdTimeout: Duration? = nil,
        requestTimeout: Duration? = nil,
        retry: RetryRule? = nil,
        maxConcurrency: Int? = nil,
        maxQueueDepth: Int? = nil
    ) {
        self.method = method
        self.path = path
        self.cpus = cpus
        self.gpus = gpus
        self.memoryGB = memoryGB
        self.holdTimeout = holdTimeout
        self.requestTimeout = requestTimeout
        self.retry = retry
        self.maxConcurrency = maxConcurrency
        self.maxQueueDepth = maxQueueDepth
    }
}

/// What a route has where neither the configuration's `routes:` nor the OpenAPI document says otherwise.
package struct RouteDefaults: Sendable, Equatable {
    /// `DEFAULT_RESOURCES`.
    package var needs = ResourceVector(cpus: 1000, gpus: 0, memory: 1000)
    /// Whether ``needs`` were configured, or are built in.
    package var needsSource = SettingSource.default
    /// `HOLD_TIMEOUT`.
    package var holdTimeout = Setting(Duration.seconds(30), from: .default)
    /// `REQUEST_TIMEOUT`.
    package var requestTimeout = Setting(Duration.seconds(300), from: .default)

    package init() {}
}
