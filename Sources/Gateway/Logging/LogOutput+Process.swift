import Logging
import SystemPackage

extension LogOutput {
    /// The log of a process: on standard error, as its settings say.
    static func standardError(_ settings: GatewaySettings) -> LogOutput {
        LogOutput(format: settings.logFormat, level: settings.logLevel, write: FileDescriptor.standardError.writeWhole)
    }

    /// Makes loggers that libraries create by themselves write here too. Once in a process.
    func bootstrap() {
        LoggingSystem.bootstrap { LineLogHandler(label: $0, output: self) }
    }
}
