import Core

/// How a filter is kept in the database: names rather than numbers, so that a person can read it.
extension LogFilter: Codable {
    private enum Key: String, CodingKey {
        case states = "state"
        case reasons = "reason"
        case route
        case pod
        case statuses = "status"
        case since
        case until
        case text
        case replayOf = "replay_of"
        case replayJob = "replay_job"
    }

    package init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: Key.self)
        // What this program does not know would widen the filter, so it is refused.
        func known<Value>(_ key: Key, _ read: (String) -> Value?) throws -> [Value] {
            try (values.decodeIfPresent([String].self, forKey: key) ?? []).map { name in
                if let value = read(name) { return value }
                throw DecodingError.dataCorruptedError(forKey: key, in: values, debugDescription: "unknown: \(name)")
            }
        }
        states = Set(try known(.states) { RequestState(name: $0) })
        reasons = Set(try known(.reasons) { EndReason(rawValue: $0) })
        routeID = try values.decodeIfPresent(String.self, forKey: .route)
        podID = try values.decodeIfPresent(String.self, forKey: .pod)
        if let bounds = try values.decodeIfPresent([Int].self, forKey: .statuses), let low = bounds.first,
            let high = bounds.last, low <= high
        {
            statuses = low...high
        }
        sinceMilliseconds = try values.decodeIfPresent(Int64.self, forKey: .since)
        untilMilliseconds = try values.decodeIfPresent(Int64.self, forKey: .until)
        text = try values.decodeIfPresent(String.self, forKey: .text)
        replayOf = try values.decodeIfPresent(Int64.self, forKey: .replayOf).map(RequestID.init(rawValue:))
        replayJob = try values.decodeIfPresent(Int64.self, forKey: .replayJob).map(ReplayJobID.init(rawValue:))
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        if !states.isEmpty { try values.encode(states.map(\.name).sorted(), forKey: .states) }
        if !reasons.isEmpty { try values.encode(reasons.map(\.rawValue).sorted(), forKey: .reasons) }
        try values.encodeIfPresent(routeID, forKey: .route)
        try values.encodeIfPresent(podID, forKey: .pod)
        if let statuses { try values.encode([statuses.lowerBound, statuses.upperBound], forKey: .statuses) }
        try values.encodeIfPresent(sinceMilliseconds, forKey: .since)
        try values.encodeIfPresent(untilMilliseconds, forKey: .until)
        try values.encodeIfPresent(text, forKey: .text)
        try values.encodeIfPresent(replayOf?.rawValue, forKey: .replayOf)
        try values.encodeIfPresent(replayJob?.rawValue, forKey: .replayJob)
    }

    /// Whether it chooses every request.
    package var isEmpty: Bool {
        states.isEmpty && reasons.isEmpty && routeID == nil && podID == nil && statuses == nil
            && sinceMilliseconds == nil && untilMilliseconds == nil && text == nil && replayOf == nil
            && replayJob == nil
    }
}
