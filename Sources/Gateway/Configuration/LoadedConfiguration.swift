import Configuration
package import Ingress
import NIOConcurrencyHelpers

/// The configuration as it was read: every value and where it comes from.
///
/// Precedence is swift-configuration's: its providers are asked in order, flags, environment, file. All of them hand in text, which
/// ``SettingCatalogue`` reads within each key's bounds.
package struct LoadedConfiguration: Sendable {
    package var settings = GatewaySettings()
    /// By key; what is not in it is the default.
    private(set) var origins: [String: SettingOrigin] = [:]
    /// `routes:` of the file.
    package var routes: [RouteRule] = []
    /// The YAML file, where one was named.
    package var filePath: String?
    /// What Kubernetes and its manifests tell a pod of itself, of the environment.
    var surroundings: [String: String] = [:]

    /// No settings: nobody sets them for the gateway alone.
    private static let tellingSurroundings: Set<String> = [
        "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "HOSTNAME", "POD_NAME", "POD_NAMESPACE",
    ]

    func origin(_ key: String) -> SettingOrigin { origins[key] ?? .default }

    /// Reads the configuration of a process.
    /// - Parameters:
    ///   - arguments: Those of the command, without the program and the command's name.
    ///   - readFile: How `--config` and the token files are read.
    /// - Throws: ``GatewayError`` with every problem that there is.
    package static func load(
        arguments: [String],
        environment: [String: String],
        readFile: (String) throws -> String = TextFile.read
    ) throws -> LoadedConfiguration {
        let flags = CommandLineFlags(arguments)
        var problems = flags.problems
        var file: ConfigurationFile?
        if let path = flags.configPath {
            do {
                let text = try readFile(path)
                let read = ConfigurationFile(path: path, text: text)
                problems += read.problems
                file = read
            } catch {
                problems.append(ConfigurationProblem("--config: \(error)"))
            }
        }
        var loaded = LoadedConfiguration()
        loaded.filePath = flags.configPath
        loaded.surroundings = environment.filter { Self.tellingSurroundings.contains($0.key) }
        loaded.routes = file?.routes ?? []
        problems += loaded.readSettings(flags: flags, environment: environment, file: file)
        problems += loaded.readTokenFiles(readFile)
        if problems.isEmpty { problems = SettingRules.problems(of: loaded) }
        guard problems.isEmpty else { throw GatewayError(problems) }
        return loaded
    }

    /// Asks the providers for each key of the catalogue.
    private mutating func readSettings(
        flags: CommandLineFlags,
        environment: [String: String],
        file: ConfigurationFile?
    ) -> [ConfigurationProblem] {
        let secrets = SettingCatalogue.all.filter(\.isSecret)
        let fromFile = (file?.values ?? [:]).map { key, entry in
            (
                AbsoluteConfigKey(Self.components(key)),
                ConfigValue(.stringArray([entry.text]), isSecret: SettingCatalogue[key]?.isSecret == true)
            )
        }
        let used = SourceRecorder()
        let reader = ConfigReader(
            providers: [
                CommandLineArgumentsProvider(arguments: [""] + flags.normalized),
                EnvironmentVariablesProvider(
                    // An empty variable is as good as none: that is how shells and manifests leave one out.
                    environmentVariables: environment.filter { !$0.value.isEmpty },
                    secretsSpecifier: .specific(Set(secrets.map(\.environmentName))),
                    // Never in a variable: a value is one text here, its own type splits it.
                    arraySeparator: "\0"
                ),
                InMemoryProvider(name: "file", values: Dictionary(uniqueKeysWithValues: fromFile)),
            ],
            accessReporter: used
        )
        var problems: [ConfigurationProblem] = []
        for definition in SettingCatalogue.all {
            guard
                let parts = reader.stringArray(
                    forKey: ConfigKey(Self.components(definition.key)),
                    isSecret: definition.isSecret
                ),
                let provider = used.lastProvider
            else { continue }
            let origin = Self.origin(of: definition, provider: provider, file: file)
            // The flags' provider splits at commas.
            let text = parts.joined(separator: ",").trimmed
            do throws(SettingRejection) {
                try definition.read(text, &settings)
                origins[definition.key] = origin
            } catch {
                problems.append(.refused(definition, text, origin, error))
            }
        }
        return problems
    }

    /// The providers join these with `-`, `_` and `.`.
    private static func components(_ key: String) -> [String] { key.split(separator: "_").map(String.init) }

    private static func origin(
        of definition: SettingDefinition,
        provider: String,
        file: ConfigurationFile?
    ) -> SettingOrigin {
        if provider.hasPrefix("CommandLine") { return .flag(definition.flag ?? definition.key) }
        if provider.hasPrefix("Environment") { return .environment(definition.environmentName) }
        return .file(file?.path ?? "", line: file?.values[definition.key]?.line)
    }

    /// Fills the tokens from their files.
    private mutating func readTokenFiles(_ readFile: (String) throws -> String) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        let files: [(String, String?, WritableKeyPath<GatewaySettings, [String]>)] = [
            ("admin_token", settings.adminTokenFile, \.adminTokens),
            ("admin_read_token", settings.adminReadTokenFile, \.adminReadTokens),
            ("metrics_token", settings.metricsTokenFile, \.metricsTokens),
        ]
        for (key, path, property) in files {
            guard let path else { continue }
            let origin = origin("\(key)_file")
            if let other = origins[key] {
                problems.append(
                    ConfigurationProblem(
                        "\(key)_file: there is also \(key) (from \(other)): give one of them",
                        origin: origin
                    )
                )
                continue
            }
            do {
                let tokens = try SettingType.tokens.parse(try readFile(path))
                guard !tokens.isEmpty else { throw SettingRejection("the file is empty") }
                settings[keyPath: property] = tokens
                origins[key] = .file(path, line: nil)
            } catch {
                let cause = (error as? SettingRejection).map { "\(quoted(path)): \($0.detail ?? "")" } ?? "\(error)"
                problems.append(
                    ConfigurationProblem(
                        "\(key)_file: \(cause)",
                        origin: origin,
                        accepted: SettingType.tokens.accepted
                    )
                )
            }
        }
        return problems
    }
}

extension ConfigurationProblem {
    /// A value that its type refuses; a secret's is not told.
    static func refused(
        _ definition: SettingDefinition,
        _ text: String,
        _ origin: SettingOrigin,
        _ rejection: SettingRejection
    ) -> ConfigurationProblem {
        let value = definition.isSecret ? "the value" : quoted(text)
        let detail = rejection.detail.map { " (\($0))" } ?? ""
        return ConfigurationProblem(
            "\(definition.key): \(value) is not accepted\(detail)",
            origin: origin,
            accepted: definition.accepted
        )
    }
}

/// Hears from swift-configuration which provider answered last.
private final class SourceRecorder: AccessReporter {
    private let last = NIOLockedValueBox<String?>(nil)

    var lastProvider: String? { last.withLockedValue { $0 } }

    func report(_ event: AccessEvent) {
        let answered = event.providerResults.first { (try? $0.result.get().value) != nil }
        last.withLockedValue { $0 = answered?.providerName }
    }
}
