/// An operation that requests are matched to, with what its requests need and how long they may wait.
///
/// Immutable: re-reading the configuration makes new ones. ``key`` stays the same for the same ``id`` as long as the process lives.
package final class Route: Sendable {
    /// A small number for arrays: dense, from 0, and the same for the same id in every later table.
    package let key: Int
    /// `POST /v1/infer/{model}`, or `default`. What operators, metrics and rows call it.
    package let id: String
    /// The method in upper case; nil for every method.
    package let method: String?
    /// The path template; nil for `default`.
    package let template: String?
    package let needs: ResourceVector
    /// How long its requests may be held. An operator's value, kept by the dispatcher, goes before it.
    package let holdTimeout: Setting<Duration>
    /// To the pod's first byte.
    package let requestTimeout: Setting<Duration>
    package let retry: Setting<RetryRule>
    /// How many of its requests may be with pods at once; nil for no bound. An operator's value, kept by the dispatcher, goes before it.
    package let maxConcurrency: Setting<Int?>
    /// How many of its requests may wait at once; nil for no bound of its own.
    package let maxQueueDepth: Setting<Int?>
    /// Where ``needs`` come from.
    package let needsSource: SettingSource

    package init(
        key: Int,
        id: String,
        method: String?,
        template: String?,
        needs: ResourceVector,
        needsSource: SettingSource = .default,
        holdTimeout: Setting<Duration>,
        requestTimeout: Setting<Duration>,
        retry: Setting<RetryRule> = Setting(.idempotent, from: .default),
        maxConcurrency: Setting<Int?> = Setting(nil, from: .default),
        maxQueueDepth: Setting<Int?> = Setting(nil, from: .default)
    ) {
        self.key = key
        self.id = id
        self.method = method
        self.template = template
        self.needs = needs
        self.needsSource = needsSource
        self.holdTimeout = holdTimeout
        self.requestTimeout = requestTimeout
        self.retry = retry
        self.maxConcurrency = maxConcurrency
        self.maxQueueDepth = maxQueueDepth
    }

    /// The id of the route of requests that no operation matches.
    package static let defaultID = "default"

    /// What ``maxConcurrency`` may be, wherever it comes from.
    package static let concurrencyBounds = 1...1_000_000
    /// The longest ``holdTimeout`` and ``requestTimeout``, wherever they come from, in seconds: a day.
    package static let longestTimeout = 86_400.0
    /// What ``maxQueueDepth`` may be.
    package static let depthBounds = 0...1_000_000
}

/// A value and where it comes from.
package struct Setting<Value: Sendable & Equatable>: Sendable, Equatable {
    package var value: Value
    package var source: SettingSource

    package init(_ value: Value, from source: SettingSource) {
        self.value = value
        self.source = source
    }
}

/// Where a route's value comes from, weakest first.
package enum SettingSource: String, Sendable {
    case `default`
    case openapi
    case configuration
    case `operator`
}

/// When an attempt that died after a pod may have begun is made again.
package enum RetryRule: String, CaseIterable, Sendable {
    /// Where the method is idempotent (RFC 9110 §9.2.2).
    case idempotent
    /// Whatever the method.
    case always
    /// Also for other methods where the request has an `Idempotency-Key`.
    case idempotencyKey = "idempotency-key"
    /// Never.
    case never
}
