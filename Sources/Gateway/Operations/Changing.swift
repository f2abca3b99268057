/// A change that is the same on every gateway, and how what they answer is shown.
struct Changing<Order: Encodable & Sendable, Payload: Decodable & Sendable>: Sendable {
    var method = "POST"
    var path: String
    var body: Order
    var text: @Sendable (_ answers: [(gateway: String?, payload: Payload)], Terminal) -> String

    /// Makes the change everywhere, and shows it.
    /// - Throws: The first gateway's error that there is, after the others' answers were printed.
    func run(_ options: AdminOptions, terminal: Terminal = .current) async throws {
        let fleet = try options.fleet()
        let replies = await fleet.each { gateway throws(GatewayError) in
            let answer = try await gateway.call(method, path, body: body)
            return (answer, try gateway.read(Payload.self, from: answer))
        }
        let (shown, result) = Showing<Payload>.shown(replies, of: fleet, json: options.json, text, terminal)
        StandardStream.output.write(shown)
        try result.get()
    }
}
