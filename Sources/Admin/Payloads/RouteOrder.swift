import Core
import Queue

/// What `PATCH /admin/api/routes/{id}` may say: what is not named stays as it is.
package struct RouteOrder: Codable, Sendable {
    /// A value to be set, or null, which gives it back to the configuration.
    package enum Change<Value: Codable & Sendable & Equatable>: Sendable, Equatable {
        case to(Value)
        case givenBack
    }

    /// In seconds, 0 … 86,400.
    package var holdTimeout: Change<Double>?
    /// Requests with pods at once, 1 … 1,000,000.
    package var maxConcurrency: Change<Double>?

    package enum CodingKeys: String, CodingKey, CaseIterable { case holdTimeout, maxConcurrency }

    package init(holdTimeout: Change<Double>? = nil, maxConcurrency: Change<Double>? = nil) {
        self.holdTimeout = holdTimeout
        self.maxConcurrency = maxConcurrency
    }

    package init(from decoder: any Decoder) throws {
        try decoder.refuseKeys(except: CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func change(_ key: CodingKeys) throws -> Change<Double>? {
            guard values.contains(key) else { return nil }
            return try values.decodeNil(forKey: key) ? .givenBack : .to(values.decode(Double.self, forKey: key))
        }
        holdTimeout = try change(.holdTimeout)
        maxConcurrency = try change(.maxConcurrency)
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        for (key, change) in [(CodingKeys.holdTimeout, holdTimeout), (.maxConcurrency, maxConcurrency)] {
            switch change {
            case .to(let value): try values.encode(value, forKey: key)
            case .givenBack: try values.encodeNil(forKey: key)
            case nil: break
            }
        }
    }
}

extension RouteOrder {
    /// Whether it sets nothing.
    var onlyGivesBack: Bool {
        [holdTimeout, maxConcurrency].allSatisfy { $0 == nil || $0 == .givenBack }
    }

    /// - Throws: ``AdminProblem`` that names the value and what is accepted.
    func changes(of route: String) throws -> [ControlChange] {
        var changes: [ControlChange] = []
        switch holdTimeout {
        case .to(let seconds):
            guard (0...Route.longestTimeout).contains(seconds) else {
                throw AdminProblem.badRequest(
                    "`hold_timeout` is \(JSON.number(seconds)); accepted are 0 to \(JSON.number(Route.longestTimeout)) seconds, or null"
                )
            }
            changes.append(.holdTimeout(.milliseconds(Int64((seconds * 1000).rounded())), route: route))
        case .givenBack: changes.append(.holdTimeout(nil, route: route))
        case nil: break
        }
        switch maxConcurrency {
        case .to(let number):
            let bounds = Route.concurrencyBounds
            guard let bound = Int(exactly: number), bounds.contains(bound) else {
                throw AdminProblem.badRequest(
                    "`max_concurrency` is \(JSON.number(number)); accepted are whole numbers from \(bounds.lowerBound) to \(bounds.upperBound), or null"
                )
            }
            changes.append(.maxConcurrency(bound, route: route))
        case .givenBack: changes.append(.maxConcurrency(nil, route: route))
        case nil: break
        }
        guard !changes.isEmpty else {
            throw AdminProblem.badRequest(
                "nothing to change; accepted are `hold_timeout` (seconds) and `max_concurrency`, null gives one back"
            )
        }
        return changes
    }
}

extension JSON {
    /// As JSON has it: `12`, `12.5`.
    static func number(_ value: Double) -> String {
        Int(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}
