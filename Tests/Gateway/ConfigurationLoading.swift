import Testing

@testable import Gateway

/// Reads a configuration from memory: arguments, environment and files by path.
func load(
    _ arguments: [String] = [],
    environment: [String: String] = [:],
    files: [String: String] = [:]
) throws -> LoadedConfiguration {
    try LoadedConfiguration.load(arguments: arguments, environment: environment) { path in
        guard let text = files[path] else {
            throw GatewayError(.configuration, "cannot read \"\(path)\": no such file")
        }
        return text
    }
}

/// The lines of the error with which a configuration is refused.
func refusal(
    _ arguments: [String] = [],
    environment: [String: String] = [:],
    files: [String: String] = [:]
) -> [String] {
    do {
        _ = try load(arguments, environment: environment, files: files)
        return []
    } catch let error as GatewayError {
        #expect(error.code == .configuration)
        return error.message.split(separator: "\n").map(String.init)
    } catch {
        return ["unexpected: \(error)"]
    }
}

/// The one problem with which a YAML file is refused.
func fileRefusal(_ yaml: String) -> String {
    let lines = refusal(["--config", "g.yaml"], files: ["g.yaml": yaml])
    return lines.count == 1 ? lines[0] : lines.joined(separator: "\n")
}
