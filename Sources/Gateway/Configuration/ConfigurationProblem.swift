/// Something in the configuration that cannot be run with: what, where, and what would be accepted.
struct ConfigurationProblem: Hashable, Sendable, CustomStringConvertible {
    /// What is wrong: `gateway_port: "99999" is not accepted`.
    var message: String
    /// Where it comes from.
    var origin: SettingOrigin?
    /// What would be accepted, in words.
    var accepted: String?

    init(_ message: String, origin: SettingOrigin? = nil, accepted: String? = nil) {
        self.message = message
        self.origin = origin
        self.accepted = accepted
    }

    var description: String {
        "\(message)\(origin.map { " (from \($0))" } ?? "")\(accepted.map { "; accepted: \($0)" } ?? "")"
    }
}

/// Where a value comes from.
enum SettingOrigin: Hashable, Sendable, CustomStringConvertible {
    case `default`
    /// `--gateway-port`
    case flag(String)
    /// `GATEWAY_PORT`
    case environment(String)
    /// Path, and the line where it is known.
    case file(String, line: Int?)

    var description: String {
        switch self {
        case .default: "default"
        case .flag(let name): "flag \(name)"
        case .environment(let name): "environment \(name)"
        case .file(let path, let line): line.map { "file:\(path):\($0)" } ?? "file:\(path)"
        }
    }
}

/// What ends a command, in words for the person who started it.
package struct GatewayError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The configuration, or a file that it names, cannot be run with.
        case configuration
        /// The database cannot be opened.
        case storage
        /// An address cannot be listened on.
        case listen
        /// A part of the gateway ended by itself.
        case ended
        /// A command's arguments cannot be.
        case usage
        /// No gateway answers, or it failed.
        case unreachable
        /// A gateway says no: there is no such thing, or it may not be done.
        case refused
    }

    package var code: Code
    package var message: String
    package var cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    init(_ problems: [ConfigurationProblem]) {
        self.init(
            .configuration,
            problems.count == 1
                ? "configuration: \(problems[0])"
                : "configuration: \(problems.count) problems\n" + problems.map { "  \($0)" }.joined(separator: "\n")
        )
    }

    package var description: String { cause.map { "\(message): \($0)" } ?? message }
}
