/// Which servers are asked for names, and as what: what `/etc/resolv.conf` says of it (resolv.conf(5)).
struct ResolverSettings: Equatable, Sendable {
    struct Server: Hashable, Sendable, CustomStringConvertible {
        var host: String
        var port = 53

        /// With its port where that is another than 53.
        var description: String {
            guard port != 53 else { return host }
            return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }

    /// At most three.
    var servers: [Server] = []
    /// Domains that are put behind a name; at most 32.
    var search: [String] = []
    /// A name with fewer dots is tried with ``search`` first.
    var dots = 1
    /// How long one server has to answer, in seconds.
    var timeout = 5
    /// How often each is asked.
    var attempts = 2

    /// Reads a resolv.conf; what it does not know it passes over, as the C library does. Without a server there is the one of this machine.
    init(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.prefix { $0 != "#" && $0 != ";" }.split(whereSeparator: \.isWhitespace)
            guard words.count > 1 else { continue }
            switch words[0] {
            case "nameserver" where servers.count < 3:
                servers.append(Server(host: String(words[1])))
            case "search", "domain":
                search = words.dropFirst().prefix(32).map(String.init)
            case "options":
                for option in words.dropFirst() { read(option: option) }
            default: break
            }
        }
        if servers.isEmpty { servers = [Server(host: "127.0.0.1")] }
    }

    private mutating func read(option: Substring) {
        let parts = option.split(separator: ":")
        guard parts.count == 2, let number = Int(parts[1]), number >= 0 else { return }
        switch parts[0] {
        case "ndots": dots = min(number, 15)
        case "timeout": timeout = min(max(number, 1), 30)
        case "attempts": attempts = min(max(number, 1), 5)
        default: break
        }
    }

    /// The names to ask for, in order, each with nothing left to put behind it.
    func candidates(for name: String) -> [String] {
        if name.hasSuffix(".") { return [String(name.dropLast())] }
        let longer = search.filter { $0 != "." }.map { "\(name).\($0.hasSuffix(".") ? String($0.dropLast()) : $0)" }
        let isLong = name.count(where: { $0 == "." }) >= dots
        return isLong ? [name] + longer : longer + [name]
    }
}
