import Queue

/// What `POST /admin/api/pause` and `/resume` may say.
package struct PauseOrder: Codable, Sendable {
    /// A route's id; absent for everything.
    package var route: String?

    package enum CodingKeys: String, CodingKey, CaseIterable { case route }

    package init(route: String? = nil) { self.route = route }

    /// `{"route": null}` is refused: a program whose variable is empty does not mean everything.
    package init(from decoder: any Decoder) throws {
        try decoder.refuseKeys(except: CodingKeys.self)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        route = values.contains(.route) ? try values.decode(String.self, forKey: .route) : nil
    }
}

/// What `POST /admin/api/pause` and `/resume` answer: what is paused now.
package struct PausePayload: Codable, Sendable {
    /// Everything.
    package var paused: Bool
    /// Ids of the routes that are paused by themselves.
    package var routes: [String]

    init(_ controls: OperatorControls) {
        paused = controls.isPaused
        routes = controls.pausedRoutes.sorted()
    }
}
