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

    func run() async throws {
        var isDraining = false
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        for await signal in signals.cancelOnGracefulShutdown() {
            switch signal {
            case .sighup:
                reload()
            case _ where isDraining:
                logger.warning("second signal: ending at once", metadata: ["signal": "\(signal)"])
                exit(128 + signal.rawValue)
            default:
                isDraining = true
                logger.info("draining", metadata: ["signal": "\(signal)"])
                await beginDrain()
            }
        }
    }
}
