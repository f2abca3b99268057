import Foundation

/// What a reading command asks for, and how it shows the answers.
struct Showing<Payload: Decodable & Sendable>: Sendable {
    var path: String
    var query: [(String, String)] = []
    /// The answers as text; each with its gateway's name where several are asked.
    var text: @Sendable (_ answers: [(gateway: String?, payload: Payload)], Terminal) -> String

    /// Asks, prints, and does it again where that is wished for, until the process ends.
    /// - Throws: The first gateway's error that there is, after the others' answers were printed.
    func run(_ options: AdminOptions, watch: Double? = nil, terminal: Terminal = .current) async throws {
        let fleet = try options.fleet()
        guard let watch else {
            let (text, result) = await once(fleet, options, terminal)
            StandardStream.output.write(text)
            return try result.get()
        }
        // On a terminal one screen, drawn at once; elsewhere one after the other.
        let isScreen = terminal.width != nil && !options.json
        while true {
            let (text, result) = await once(fleet, options, terminal)
            StandardStream.output.write(
                (isScreen ? Terminal.home : "") + (options.json ? "" : Self.head(at: Date())) + text
                    + (isScreen || options.json ? "" : "\n")
            )
            if case .failure(let error) = result { Complaints.write(error) }
            try await Task.sleep(for: .seconds(watch))
        }
    }

    /// When the figures below were asked for, so that one who comes back to them knows.
    static func head(at time: Date) -> String {
        ShownValue.time(time.formatted(Date.ISO8601FormatStyle())) + " UTC\n"
    }

    private func once(
        _ fleet: AdminFleet,
        _ options: AdminOptions,
        _ terminal: Terminal
    ) async -> (String, Result<Void, GatewayError>) {
        let replies = await fleet.each { gateway throws(GatewayError) in
            let answer = try await gateway.call("GET", path, query: query)
            return (answer, try gateway.read(Payload.self, from: answer))
        }
        return Self.shown(replies, of: fleet, json: options.json, text, terminal)
    }

    /// What came, as it is printed, and the first gateway's error that there is; the others are told at once.
    static func shown(
        _ replies: [AdminFleet.Reply<(AdminClient.Answer, Payload)>],
        of fleet: AdminFleet,
        json: Bool,
        _ text: (_ answers: [(gateway: String?, payload: Payload)], Terminal) -> String,
        _ terminal: Terminal
    ) -> (String, Result<Void, GatewayError>) {
        let good = replies.compactMap { reply in (try? reply.result.get()).map { (reply.gateway, $0.0, $0.1) } }
        let result = Complaints.result(of: replies)
        if json {
            return (good.map { JSONLine.text($0.1.text, of: fleet.isOne ? nil : $0.0.url) }.joined(), result)
        }
        guard !good.isEmpty else { return ("", result) }
        return (text(good.map { (gateway: fleet.isOne ? nil : $0.0.name, payload: $0.2) }, terminal), result)
    }
}

/// `--json`: what the API answered, to the byte; of several gateways a line each.
enum JSONLine {
    static func text(_ answer: String, of url: String?) -> String {
        let answer = answer.trimmed
        guard let url else { return answer + "\n" }
        return "{\"gateway\":\"\(url)\",\"answer\":\(answer)}\n"
    }
}

/// What becomes of several gateways' errors.
enum Complaints {
    /// Prints all but the first error, which is the command's.
    static func result<Value>(of replies: [AdminFleet.Reply<Value>]) -> Result<Void, GatewayError> {
        let errors = replies.compactMap { reply in
            if case .failure(let error) = reply.result { error } else { nil }
        }
        for error in errors.dropFirst() { write(error) }
        return errors.first.map { .failure($0) } ?? .success(())
    }

    static func write(_ error: GatewayError) { StandardStream.error.write("neutrino-gateway: \(error)\n") }
}
