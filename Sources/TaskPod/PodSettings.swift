import Core
import Glibc
import NIOCore
import OpenAPI

/// The texts that a pod is configured with, options over environment, and what they mean.
struct PodSettings {
    private let environment: [String: String]
    private let machine: MachineResources
    private var given: [String: String] = [:]

    init(environment: [String: String], machine: MachineResources? = nil) {
        self.environment = environment
        self.machine = machine ?? MachineResources(environment: environment)
    }

    /// Sets an option by its name on the command line, without the dashes.
    mutating func set(_ option: String, _ value: String?) { given[option] = value }

    mutating func take(_ command: NeutrinoPodCommand) {
        set("host", command.host)
        set("port", command.port)
        set("name", command.name)
        set("cpus", command.cpus)
        set("gpus", command.gpus)
        set("memory-gb", command.memoryGb)
        set("max-concurrency", command.maxConcurrency)
        set("capacity-form", command.capacityForm)
        set("capacity-field", command.capacityField)
        set("openapi", command.openapi)
        set("task-ms", command.taskMs)
        set("upstream", command.upstream)
        set("upstream-ready", command.upstreamReady)
        set("cancel-grace", command.cancelGrace)
        set("event-loops", command.eventLoops)
        if command.simulate { set("simulate", "true") }
    }

    static func variable(_ option: String) -> String {
        "NEUTRINO_POD_" + option.uppercased().split(separator: "-").joined(separator: "_")
    }

    func configuration() throws(TaskPodError) -> TaskPodConfiguration {
        var configuration = TaskPodConfiguration()
        configuration.host = value("host") ?? "0.0.0.0"
        configuration.port = try integer("port", 0...65_535) ?? 8080
        configuration.total = ResourceVector(
            cpus: try amount("cpus") ?? machine.cpus,
            gpus: try amount("gpus") ?? machine.gpus,
            memory: try amount("memory-gb") ?? machine.memory
        )
        configuration.workers = try integer("max-concurrency", 1...1_000_000)
        configuration.capacityForm = try choice("capacity-form") ?? .flat
        configuration.writesCapacityField = try boolean("capacity-field") ?? true
        if let path = value("openapi") {
            do throws(OpenAPIError) {
                configuration.document = try OpenAPIDocument.read(path: path)
            } catch {
                throw TaskPodError(.configuration, error.description)
            }
        }
        configuration.work = try work()
        configuration.name = value("name") ?? Self.defaultName(port: configuration.port)
        return configuration
    }

    func eventLoops() throws(TaskPodError) -> Int { try integer("event-loops", 1...256) ?? 1 }

    private func work() throws(TaskPodError) -> TaskPodConfiguration.Work {
        let isSimulated = try boolean("simulate") ?? false
        guard let url = value("upstream") else {
            for option in ["upstream-ready", "cancel-grace"] where value(option) != nil {
                throw TaskPodError(.configuration, "--\(option) has a meaning only with --upstream")
            }
            let milliseconds = try number("task-ms", 0...86_400_000) ?? 0
            return .simulated(SimulatedWork(duration: .nanoseconds(Int64(milliseconds * 1e6))))
        }
        guard !isSimulated else { throw TaskPodError(.configuration, "--simulate and --upstream exclude each other") }
        guard value("task-ms") == nil else {
            throw TaskPodError(.configuration, "--task-ms has a meaning only without --upstream")
        }
        var upstream = try UpstreamConfiguration(url: url)
        if let path = value("upstream-ready") {
            guard path.hasPrefix("/"), !path.contains(where: { $0.isWhitespace || $0.isNewline }) else {
                throw refused("upstream-ready", path, "a path that begins with \"/\" is")
            }
            upstream.readyPath = path
        }
        if let seconds = try number("cancel-grace", 0...86_400) {
            upstream.cancelGrace = .nanoseconds(Int64(seconds * 1e9))
        }
        return .upstream(upstream)
    }

    // MARK: Values

    /// An option, else its variable; an empty variable is as good as none.
    private func value(_ option: String) -> String? {
        if let value = given[option] { return value }
        let value = environment[Self.variable(option)]
        return value?.isEmpty == true ? nil : value
    }

    private func refused(_ option: String, _ value: String, _ accepted: String) -> TaskPodError {
        let name = given[option] == nil ? Self.variable(option) : "--\(option)"
        return TaskPodError(.configuration, "\(name): \"\(value)\" is not accepted; \(accepted)")
    }

    private func number(_ option: String, _ range: ClosedRange<Double>) throws(TaskPodError) -> Double? {
        guard let text = value(option) else { return nil }
        guard let number = Double(text), range.contains(number) else {
            throw refused(option, text, "a number from \(Int(range.lowerBound)) to \(Int(range.upperBound)) is")
        }
        return number
    }

    private func integer(_ option: String, _ range: ClosedRange<Int>) throws(TaskPodError) -> Int? {
        guard let text = value(option) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw refused(option, text, "a whole number from \(range.lowerBound) to \(range.upperBound) is")
        }
        return number
    }

    /// Thousandths.
    private func amount(_ option: String) throws(TaskPodError) -> Int64? {
        guard let units = try number(option, 0...ResourceVector.maximumUnits) else { return nil }
        return ResourceVector(reportedCPUs: units, gpus: 0, memoryGB: 0)?.cpus
    }

    private func boolean(_ option: String) throws(TaskPodError) -> Bool? {
        guard let text = value(option) else { return nil }
        switch text {
        case "true", "1", "yes", "on": return true
        case "false", "0", "no", "off": return false
        default: throw refused(option, text, "true and false are")
        }
    }

    private func choice<Choice: CaseIterable & RawRepresentable<String>>(
        _ option: String
    ) throws(TaskPodError) -> Choice? {
        guard let text = value(option) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            throw refused(option, text, "one of \(Choice.allCases.map(\.rawValue).joined(separator: ", ")) is")
        }
        return choice
    }

    /// The machine's name (in Kubernetes the pod's) and what tells several on it apart.
    private static func defaultName(port: Int) -> String {
        var bytes = [CChar](repeating: 0, count: 256)
        let isNamed = gethostname(&bytes, bytes.count - 1) == 0
        let machine = isNamed ? bytes.withUnsafeBufferPointer { String(cString: $0.baseAddress!) } : "pod"
        return port == 0 ? "\(machine)-\(getpid())" : "\(machine):\(port)"
    }
}
