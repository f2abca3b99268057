import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

/// Listens to signals: the first SIGTERM or SIGINT begins the drain, a second ends the process at once, SIGHUP reads the
/// configuration again.
struct SignalService: Service {
    let beginDrain: @Sendable () async -> Void
    let reload: @Sendable () -> Void
    /// Ends the process; what was logged is written first.
    let exit: @Sendable (Int32) -> Void
    let logger: Logger

    /// A second signal within this is the first one's echo.
    private static let echo = Duration.milliseconds(100)

    func run() async throws {
        var drainingSince: ContinuousClock.Instant?
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        for await signal in signals.cancelOnGracefulShutdown() {
            switch signal {
            case .sighup:
                reload()
            case _ where drainingSince.map { .now - $0 < Self.echo } ?? false:
                // timeout(1) and some supervisors signal both a process and its group: that is one signal.
                break
            case _ where drainingSince != nil:
                logger.warning("second signal: ending at once", metadata: ["signal": "\(signal)"])
                exit(128 + signal.rawValue)
            default:
                drainingSince = .now
                logger.info("draining", metadata: ["signal": "\(signal)"])
                await beginDrain()
            }
        }
    }
}
