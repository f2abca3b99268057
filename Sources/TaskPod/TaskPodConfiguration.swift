package import Core
package import HTTP
package import NIOCore
package import OpenAPI

/// What a task pod is: what it has, how it tells of it, and what its tasks are.
package struct TaskPodConfiguration: Sendable {
    /// The forms of an answer to `GET /capacity`.
    package enum CapacityForm: String, CaseIterable, Sendable {
        /// `{"available_cpus":…,"total":{…},…}`, with `total_workers` and `idle_workers` where workers are counted.
        case flat
        /// `{"total":{…},"available":{…},"allocated":{…},"workers":[…]}`, as neutrino-core answers. Each worker has an equal share
        /// of the whole, and a task takes one worker: one that needs more than a share fits nowhere.
        case nested
    }

    package enum Work: Sendable {
        /// Tasks that only take time.
        case simulated(SimulatedWork)
        /// Tasks that another HTTP server does.
        case upstream(UpstreamConfiguration)
    }

    /// What answers, stats and the gateway's tests call it.
    package var name = "pod"
    package var host = "127.0.0.1"
    /// 0 for any that is free.
    package var port = 0
    package var total = ResourceVector(cpus: 8000, gpus: 0, memory: 32000)
    /// How many tasks run at once at most, whatever they need; nil for as many as ``total`` holds.
    package var workers: Int?
    package var capacityForm = CapacityForm.flat
    /// Whether answers carry `Neutrino-Capacity`.
    package var writesCapacityField = true
    /// Where a task's needs come from that has no `Neutrino-Resources`.
    package var document: OpenAPIDocument?
    /// What a task needs of which nobody says more: the gateway's `DEFAULT_RESOURCES`.
    package var defaultNeeds = ResourceVector(cpus: 1000, gpus: 0, memory: 1000)
    package var work = Work.simulated(SimulatedWork())
    /// How many request ids are remembered for `GET /_pod/requests`; older ones are forgotten.
    package var rememberedRequests = 100_000
    package var codec = MessageCodec.bytes
    package var limits = MessageLimits.behindGateway
    /// For the rest of a head, from its first bytes on.
    package var headTimeout = TimeAmount.seconds(10)
    /// Between two reads of a body. A sidecar's task has its slot from its head on: a client that stalls must not keep it.
    package var bodyTimeout = TimeAmount.seconds(30)

    package init() {}
}

/// Tasks that only take time.
package struct SimulatedWork: Sendable {
    /// How long a task takes that does not say so itself (`?ms=50`, or `{"ms":50}` in its body).
    package var duration: TimeAmount = .zero

    package init(duration: TimeAmount = .zero) { self.duration = duration }
}

/// The HTTP server that a sidecar stands before.
package struct UpstreamConfiguration: Sendable {
    package var host: String
    package var port: Int
    /// The path that answers 200 once the server can work, and is asked again every two seconds; nil: it can work once it accepts
    /// connections.
    package var readyPath: String?
    /// How long the slot of a client that left is kept for a server that has not answered yet. Zero closes the connection
    /// to the server at once, for one that stops when its client leaves.
    package var cancelGrace: TimeAmount = .seconds(5)
    package var connectTimeout: TimeAmount = .seconds(2)

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `http://host[:port]`.
    /// - Throws: ``TaskPodError`` saying what is accepted.
    package init(url: String) throws(TaskPodError) {
        let refused = TaskPodError(
            .configuration,
            "\"\(url)\" is not accepted as an upstream; http://HOST:PORT is, without a path"
        )
        guard url.lowercased().hasPrefix("http://") else { throw refused }
        var rest = url.dropFirst("http://".count)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard !rest.isEmpty, !rest.contains(where: { "/?#@ ".contains($0) }) else { throw refused }
        var port = 80
        var host = rest
        if rest.hasPrefix("[") {
            guard let bracket = rest.firstIndex(of: "]") else { throw refused }
            host = rest[rest.index(after: rest.startIndex)..<bracket]
            rest = rest[rest.index(after: bracket)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw refused }
        } else if let colon = rest.lastIndex(of: ":") {
            host = rest[..<colon]
            rest = rest[colon...]
            guard !host.contains(":") else { throw refused }
        } else {
            rest = ""
        }
        if !rest.isEmpty {
            guard let number = Int(rest.dropFirst()), (1...65_535).contains(number) else { throw refused }
            port = number
        }
        guard !host.isEmpty else { throw refused }
        self.init(host: String(host), port: port)
    }

    /// `host:port`, an IPv6 host in brackets.
    package var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension TaskPodConfiguration.Work {
    /// How long a simulated task takes that does not say so itself.
    var duration: TimeAmount {
        if case .simulated(let work) = self { work.duration } else { .zero }
    }
}
