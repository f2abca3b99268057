/// How a value is written: read from text within bounds, and written back.
///
/// Flags, environment and file all hand in text, so that one rule and one error text serve all three.
struct SettingType<Value: Sendable>: Sendable {
    /// What is accepted, in words that follow "accepted: ".
    let accepted: String
    /// What stands for the value in a synopsis: `--gateway-port PORT`.
    let placeholder: String
    let parse: @Sendable (String) throws(SettingRejection) -> Value
    /// Text that ``parse`` reads as the same value; what `check` and the documentation show.
    let format: @Sendable (Value) -> String

    init(
        _ placeholder: String,
        accepted: String,
        parse: @escaping @Sendable (String) throws(SettingRejection) -> Value,
        format: @escaping @Sendable (Value) -> String
    ) {
        self.placeholder = placeholder
        self.accepted = accepted
        self.parse = parse
        self.format = format
    }

    /// The same type where there may be no value: `none` (in words: `auto`, `as hold_timeout`) stands for nil, as does empty text.
    func optional(_ none: String) -> SettingType<Value?> {
        SettingType<Value?>(
            placeholder,
            accepted: "\(accepted); `\(none)` or nothing for the default",
            parse: { text throws(SettingRejection) in text.isEmpty || text == none ? nil : try parse(text) },
            format: { $0.map(format) ?? none }
        )
    }

    /// Any number of them, separated by commas; at most `maximum`. Empty items are refused, empty text is an empty list.
    func list(_ plural: String, maximum: Int) -> SettingType<[Value]> {
        SettingType<[Value]>(
            "\(placeholder),…",
            accepted: "\(plural), separated by commas, at most \(maximum)",
            parse: { text throws(SettingRejection) in
                guard !text.isEmpty else { return [] }
                let items = text.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmed }
                guard items.count <= maximum else { throw SettingRejection("\(items.count) items") }
                var values: [Value] = []
                for item in items {
                    guard !item.isEmpty else { throw SettingRejection("an empty item") }
                    do throws(SettingRejection) {
                        values.append(try parse(item))
                    } catch {
                        throw SettingRejection("\(quoted(item))\(error.detail.map { ": \($0)" } ?? "")")
                    }
                }
                return values
            },
            format: { $0.map(format).joined(separator: ",") }
        )
    }
}

/// Text that is not a value of its type.
struct SettingRejection: Error {
    /// What is wrong, where there is more to say than what would be accepted.
    var detail: String?

    init(_ detail: String? = nil) { self.detail = detail }
}
