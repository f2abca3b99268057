/// What operators set while the gateway runs, and what survives a restart: values over those of the configuration.
package struct OperatorControls: Sendable, Equatable {
    /// By route id.
    package var holdTimeouts: [String: Duration] = [:]
    /// By route id.
    package var maxConcurrency: [String: Int] = [:]
    /// Ids of routes of which nothing is dispatched.
    package var pausedRoutes: Set<String> = []
    /// Whether nothing at all is dispatched.
    package var isPaused = false

    package init() {}
}

/// One change of ``OperatorControls``.
package enum ControlChange: Sendable, Equatable {
    /// nil gives the configured value back.
    case holdTimeout(Duration?, route: String)
    /// nil gives the configured value back.
    case maxConcurrency(Int?, route: String)
    /// Of one route, or with nil of all.
    case pause(route: String?)
    case resume(route: String?)
}

/// Where a change is in the table `settings`, and what stands there: nil for no row.
struct StoredControl {
    static let holdTimeout = "hold_timeout"
    static let maxConcurrency = "max_concurrency"
    static let paused = "paused"

    var name: String
    /// A route's id; empty for all.
    var subject: String
    var value: Int64?
}

extension ControlChange {
    var stored: StoredControl {
        switch self {
        case .holdTimeout(let timeout, let route):
            StoredControl(
                name: StoredControl.holdTimeout,
                subject: route,
                value: timeout.map { $0 / .microseconds(1) }.map(Int64.init)
            )
        case .maxConcurrency(let bound, let route):
            StoredControl(name: StoredControl.maxConcurrency, subject: route, value: bound.map(Int64.init))
        case .pause(let route): StoredControl(name: StoredControl.paused, subject: route ?? "", value: 1)
        case .resume(let route): StoredControl(name: StoredControl.paused, subject: route ?? "", value: nil)
        }
    }

    /// How it is recorded.
    /// - Parameter before: What stood there.
    package func record(before: Int64? = nil) -> ChangeRecord {
        let stored = stored
        func text(_ value: Int64?) -> String? {
            guard let value else { return nil }
            return stored.name == StoredControl.holdTimeout ? Self.seconds(microseconds: value) : "\(value)"
        }
        let action: ChangeAction
        switch self {
        case .holdTimeout: action = .holdTimeout
        case .maxConcurrency: action = .maxConcurrency
        case .pause: return ChangeRecord(.pause, of: stored.subject.isEmpty ? nil : stored.subject)
        case .resume: return ChangeRecord(.resume, of: stored.subject.isEmpty ? nil : stored.subject)
        }
        return ChangeRecord(action, of: stored.subject, from: text(before), to: text(stored.value))
    }

    /// `12.5`.
    private static func seconds(microseconds: Int64) -> String {
        let (whole, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        guard rest != 0 else { return "\(whole)" }
        var digits = "\(rest)"
        digits = String(repeating: "0", count: 6 - digits.count) + digits
        while digits.last == "0" { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}

extension OperatorControls {
    /// As the rows of the table `settings`.
    var stored: [StoredControl] {
        var changes: [ControlChange] = holdTimeouts.map { .holdTimeout($1, route: $0) }
        changes += maxConcurrency.map { .maxConcurrency($1, route: $0) }
        changes += pausedRoutes.map { .pause(route: $0) }
        if isPaused { changes.append(.pause(route: nil)) }
        return changes.map(\.stored)
    }

    /// Takes in a row of the table `settings`; names that this program does not know are left alone.
    mutating func take(_ stored: StoredControl) {
        switch stored.name {
        case StoredControl.holdTimeout: holdTimeouts[stored.subject] = stored.value.map { .microseconds($0) }
        case StoredControl.maxConcurrency: maxConcurrency[stored.subject] = stored.value.map { Int($0) }
        case StoredControl.paused where stored.subject.isEmpty: isPaused = stored.value != nil
        case StoredControl.paused where stored.value != nil: pausedRoutes.insert(stored.subject)
        case StoredControl.paused: pausedRoutes.remove(stored.subject)
        default: break
        }
    }
}
