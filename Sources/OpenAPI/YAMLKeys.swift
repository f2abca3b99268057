import CYaml

/// Looks at a YAML text's keys before Yams does, which compares the keys of each mapping by their hashes: one of a key that is a list
/// of aliases of lists of aliases … takes as long as everything that they stand for, which doubles with every line of the file.
package enum YAMLKeys {
    /// The line and column, from 1, of the first key that is not text: a list, a mapping, or an alias of one. nil where there is none,
    /// or where the text is no YAML up to there, which whoever reads it then tells better.
    package static func firstThatIsNoText(in text: String) -> (line: Int, column: Int)? {
        var text = text
        return text.withUTF8 { bytes in
            var parser = yaml_parser_t()
            guard yaml_parser_initialize(&parser) == 1 else { return nil }
            defer { yaml_parser_delete(&parser) }
            yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
            yaml_parser_set_input_string(&parser, bytes.baseAddress, bytes.count)
            var state = State()
            while true {
                var event = yaml_event_t()
                guard yaml_parser_parse(&parser, &event) == 1 else { return nil }
                defer { yaml_event_delete(&event) }
                if event.type == YAML_STREAM_END_EVENT { return nil }
                guard state.take(event) else {
                    return (line: Int(event.start_mark.line) + 1, column: Int(event.start_mark.column) + 1)
                }
            }
        }
    }

    private struct State {
        private enum Collection {
            case sequence
            /// Whether a key comes next.
            case mapping(isAtKey: Bool)
        }

        /// The collections around the next event, outermost first; libyaml bounds them to 1,000.
        private var open: [Collection] = []
        /// Anchors of lists and mappings; the latest of a name counts.
        private var collections: Set<String> = []

        /// - Returns: False at a key that is not text.
        mutating func take(_ event: yaml_event_t) -> Bool {
            switch event.type {
            case YAML_SCALAR_EVENT:
                if let anchor = Self.name(event.data.scalar.anchor) { collections.remove(anchor) }
                _ = next()
            case YAML_ALIAS_EVENT:
                let isCollection = Self.name(event.data.alias.anchor).map(collections.contains) ?? false
                return !(next() && isCollection)
            case YAML_SEQUENCE_START_EVENT:
                if let anchor = Self.name(event.data.sequence_start.anchor) { collections.insert(anchor) }
                if next() { return false }
                open.append(.sequence)
            case YAML_MAPPING_START_EVENT:
                if let anchor = Self.name(event.data.mapping_start.anchor) { collections.insert(anchor) }
                if next() { return false }
                open.append(.mapping(isAtKey: true))
            case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
                open.removeLast()
            default:
                break
            }
            return true
        }

        /// A node begins.
        /// - Returns: Whether it is a key.
        private mutating func next() -> Bool {
            guard case .mapping(let isAtKey)? = open.last else { return false }
            open[open.count - 1] = .mapping(isAtKey: !isAtKey)
            return isAtKey
        }

        private static func name(_ anchor: UnsafeMutablePointer<yaml_char_t>?) -> String? {
            anchor.map { String(cString: $0) }
        }
    }
}
