import Foundation

extension SettingType where Value == String {
    /// A URL to call. Not one with a password: it would be shown.
    static var url: SettingType {
        SettingType(
            "URL",
            accepted: "http://… or https://…, without user, query or fragment",
            parse: { text throws(SettingRejection) in
                guard text.utf8.count <= 2048, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
                    let url = URLComponents(string: text), ["http", "https"].contains(url.scheme?.lowercased()),
                    url.host?.isEmpty == false
                else { throw SettingRejection() }
                guard url.user == nil, url.password == nil, url.query == nil, url.fragment == nil else {
                    throw SettingRejection("more than a host and a path")
                }
                return text
            },
            format: { $0 }
        )
    }
}

extension SettingType where Value == Double {
    /// A share of a whole.
    static var share: SettingType {
        SettingType(
            "SHARE",
            accepted: "a number from 0 to 1",
            parse: { text throws(SettingRejection) in
                guard let value = Double(text), (0...1).contains(value) else { throw SettingRejection() }
                return value
            },
            format: { $0 == $0.rounded() ? "\(Int($0))" : "\($0)" }
        )
    }
}

extension SettingType where Value == [ExportField] {
    /// `name=value,…`, values percent-encoded (opentelemetry.io/docs/specs/otel/protocol/exporter, "Specifying headers via environment
    /// variables"). What is wrong is told without the text, which is secret.
    static var exportFields: SettingType {
        SettingType(
            "NAME=VALUE,…",
            accepted: "`name=value`, values percent-encoded, separated by commas, at most 32",
            parse: { text throws(SettingRejection) in
                let items = text.split(separator: ",").map(\.trimmed).filter { !$0.isEmpty }
                guard items.count <= 32 else { throw SettingRejection("\(items.count) items") }
                var fields: [ExportField] = []
                for (index, item) in items.enumerated() {
                    guard let field = field(item) else { throw SettingRejection("item \(index + 1) is none") }
                    fields.append(field)
                }
                return fields
            },
            format: { fields in
                fields.map { field in
                    let encoded = field.value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
                    return "\(field.name)=\(encoded)"
                }
                .joined(separator: ",")
            }
        )
    }

    private static func field(_ text: String) -> ExportField? {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(\.trimmed)
        guard parts.count == 2, let value = parts[1].removingPercentEncoding,
            value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
            let name = try? SettingType<String>.fieldName.parse(parts[0])
        else { return nil }
        return ExportField(name: name, value: value)
    }
}
