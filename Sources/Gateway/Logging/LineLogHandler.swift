package import Logging
import NIOConcurrencyHelpers

/// The gateway's log: one event, one line, whatever is in it.
///
/// The level is one for all loggers, and can be changed at any time; a logger of its own level keeps that.
package struct LineLogHandler: LogHandler {
    private let label: String
    private let output: LogOutput
    private var ownLevel: Logger.Level?
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    init(label: String, output: LogOutput) {
        self.label = label
        self.output = output
    }

    package var logLevel: Logger.Level {
        get { ownLevel ?? output.level }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var facts = metadata
        if let provided = metadataProvider?.get() { facts.merge(provided) { $1 } }
        if let own = event.metadata { facts.merge(own) { $1 } }
        if let error = event.error { facts["error"] = "\(error)" }
        output.write(level: event.level, label: label, message: "\(event.message)", metadata: facts)
    }
}

/// Where all loggers of a process write, and from which level on.
package final class LogOutput: Sendable {
    private let format: LogFormat
    private let currentLevel: NIOLockedValueBox<Logger.Level>
    private let stream: LogStream
    private let clock: @Sendable () -> LogTime

    /// - Parameters:
    ///   - clock: The wall clock.
    ///   - write: Writes whole lines, blocking; called on one thread at a time.
    init(
        format: LogFormat,
        level: Logger.Level,
        clock: @escaping @Sendable () -> LogTime = LogTime.now,
        write: @escaping @Sendable ([UInt8]) -> Void
    ) {
        self.format = format
        self.clock = clock
        currentLevel = NIOLockedValueBox(level)
        stream = LogStream(
            droppedLine: { count in
                Self.line(
                    format: format,
                    time: clock(),
                    level: .warning,
                    label: "log",
                    message: "log lines were dropped: standard error does not take them",
                    metadata: ["count": "\(count)"]
                )
            },
            write: write
        )
    }

    /// The level from which on lines are written.
    package var level: Logger.Level {
        get { currentLevel.withLockedValue { $0 } }
        set { currentLevel.withLockedValue { $0 = newValue } }
    }

    /// A logger that writes here.
    package func logger(_ label: String) -> Logger {
        Logger(label: label, factory: { LineLogHandler(label: $0, output: self) })
    }

    /// Returns when everything logged so far was written.
    package func flush() { stream.flush() }

    func write(level: Logger.Level, label: String, message: String, metadata: Logger.Metadata) {
        stream.append(
            Self.line(format: format, time: clock(), level: level, label: label, message: message, metadata: metadata)
        )
    }

    private static func line(
        format: LogFormat,
        time: LogTime,
        level: Logger.Level,
        label: String,
        message: String,
        metadata: Logger.Metadata
    ) -> String {
        switch format {
        case .text: LogLine.text(time: time, level: level, label: label, message: message, metadata: metadata)
        case .json: LogLine.json(time: time, level: level, label: label, message: message, metadata: metadata)
        }
    }
}
