import Core

extension IngressError {
    static let listenerClosed = IngressError(.cannotListen, "the listener for clients was closed")

    /// Says in words why nobody can listen at an address.
    init(listeningAt host: String, _ port: Int, failed error: any Error) {
        let address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        let failure = ListeningFailure(error)
        let code: Code =
            switch failure {
            case .inUse: .addressInUse
            case .notOurs, .unknownName: .addressUnusable
            case .notPermitted: .notPermitted
            case .other: .cannotListen
            }
        self.init(code, "cannot listen for clients at \(address): \(failure.words)")
    }
}
