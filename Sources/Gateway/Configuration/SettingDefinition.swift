/// One key of the configuration: how it is called everywhere, what it accepts, what it does.
///
/// Type-erased over its value, so that the keys form one table; ``SettingCatalogue`` makes them with the value's type known.
struct SettingDefinition: Sendable {
    /// The key in the YAML file: `gateway_port`.
    let key: String
    let group: Group
    /// What it does, in one sentence; units where they are not plain.
    let summary: String
    /// What stands for the value in a synopsis.
    let placeholder: String
    /// In words, after "accepted: ".
    let accepted: String
    /// The default as it would be written; empty for none.
    let defaultText: String
    /// Never printed, and not taken from a flag, which every user of the machine could read.
    let isSecret: Bool
    /// Whether a changed value takes effect while the gateway runs.
    let isReloadable: Bool
    /// Reads text into its property.
    let read: @Sendable (String, inout GatewaySettings) throws(SettingRejection) -> Void
    /// What its property holds, as text that ``read`` reads back.
    let show: @Sendable (GatewaySettings) -> String

    /// `GATEWAY_PORT`.
    var environmentName: String { key.uppercased() }
    /// `--gateway-port`; nil for a secret.
    var flag: String? { isSecret ? nil : "--" + key.map { $0 == "_" ? "-" : String($0) }.joined() }

    /// Headings of the help and the documentation, in their order.
    enum Group: String, CaseIterable, Sendable {
        case listener = "Listener"
        case routes = "Routes and holding"
        case discovery = "Finding pods"
        case pods = "Pods"
        case queue = "Queue and request log"
        case admin = "Admin listener"
        case process = "Process"
        case traces = "Traces"
    }

    init<Value>(
        _ key: String,
        _ group: Group,
        _ property: any WritableKeyPath<GatewaySettings, Value> & Sendable,
        _ type: SettingType<Value>,
        _ summary: String,
        secret: Bool = false,
        reloadable: Bool = false
    ) {
        self.key = key
        self.group = group
        self.summary = summary
        placeholder = type.placeholder
        accepted = type.accepted
        defaultText = type.format(GatewaySettings()[keyPath: property])
        isSecret = secret
        isReloadable = reloadable
        read = { (text, settings) throws(SettingRejection) in settings[keyPath: property] = try type.parse(text) }
        show = { type.format($0[keyPath: property]) }
    }
}
