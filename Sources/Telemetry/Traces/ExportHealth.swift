import Logging
import NIOConcurrencyHelpers

/// Tells in the log once when the collector stops taking spans, and once when it takes them again.
final class ExportHealth: Sendable {
    private let isFailing = NIOLockedValueBox(false)
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    func succeeded() {
        guard change(to: false) else { return }
        logger.notice("The trace collector takes spans again")
    }

    func failed(_ error: any Error) {
        guard change(to: true) else { return }
        logger.warning("The trace collector does not take spans; they are dropped", metadata: ["cause": "\(error)"])
    }

    /// - Returns: Whether it was otherwise.
    private func change(to value: Bool) -> Bool {
        isFailing.withLockedValue { isFailing in
            defer { isFailing = value }
            return isFailing != value
        }
    }
}
