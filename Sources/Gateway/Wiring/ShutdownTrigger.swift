import NIOConcurrencyHelpers

/// Begins the shutdown of services that are made after the one that holds this.
final class ShutdownTrigger: Sendable {
    private let action = NIOLockedValueBox<(@Sendable () async -> Void)?>(nil)

    func set(_ action: @escaping @Sendable () async -> Void) {
        self.action.withLockedValue { $0 = action }
    }

    func pull() async {
        let action = action.withLockedValue { $0 }
        await action?()
    }
}
