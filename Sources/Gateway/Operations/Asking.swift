/// Questions to somebody who sits at a terminal.
enum Asking {
    /// Asks before something is done that is not easily undone.
    /// - Throws: ``GatewayError`` where nobody is there to be asked, or says no.
    static func whether(_ question: String, _ terminal: Terminal) throws(GatewayError) {
        guard terminal.isInteractive else {
            throw GatewayError(.usage, "nobody is there to be asked; --yes does it, --dry-run only looks")
        }
        StandardStream.error.write("\(question) [y/N] ")
        guard let answer = readLine()?.lowercased(), ["y", "yes"].contains(answer) else {
            throw GatewayError(.refused, "nothing was done")
        }
    }
}
