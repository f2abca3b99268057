import Yams

/// Reads YAML into the nodes that JSON is read into.
///
/// libyaml finds the structure; what a plain scalar means is decided where it is used, so that `version: 3.1` is a text there and
/// no tag has to be guessed for every key.
struct YAMLReader {
    private let limits: DocumentLimits
    private var values = 0

    static func read(_ text: String, limits: DocumentLimits) throws(DocumentProblem) -> DocumentNode {
        if let place = YAMLKeys.firstThatIsNoText(in: text) {
            throw DocumentProblem(
                line: place.line,
                column: place.column,
                message: "a key that is a list or a mapping; keys are text"
            )
        }
        let root: Node?
        do {
            // Without rules every untagged scalar is text: they would be run as regular expressions over each key.
            root = try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot()
        } catch let error as YamlError {
            throw problem(error)
        } catch {
            throw DocumentProblem(message: "\(error)")
        }
        guard let root else { throw DocumentProblem(line: 1, column: 1, message: "it is empty") }
        var reader = YAMLReader(limits: limits)
        return try reader.convert(root, depth: 0)
    }

    private init(limits: DocumentLimits) { self.limits = limits }

    private mutating func convert(_ node: Node, depth: Int) throws(DocumentProblem) -> DocumentNode {
        let mark = node.mark
        let (line, column) = (mark?.line ?? 1, mark?.column ?? 1)
        func tooLarge(_ message: String) -> DocumentProblem {
            DocumentProblem(code: .tooLarge, line: line, column: column, message: message)
        }
        values += 1
        guard values <= limits.values else {
            throw tooLarge("more than \(limits.values) values, every alias counted as what it stands for")
        }
        guard depth <= limits.depth else { throw tooLarge("nested deeper than \(limits.depth)") }
        let value: DocumentNode.Value
        switch node {
        case .scalar(let scalar):
            let isPlain = scalar.style == .plain && scalar.tag.rawValue != Tag.Name.str.rawValue
            value = .scalar(scalar.string, isPlain: isPlain)
        case .sequence(let sequence):
            var elements: [DocumentNode] = []
            elements.reserveCapacity(sequence.count)
            for element in sequence { elements.append(try convert(element, depth: depth + 1)) }
            value = .sequence(elements)
        case .mapping(let mapping):
            value = .mapping(try convert(mapping, depth: depth))
        case .alias:
            // The parser follows aliases itself; this case exists for writing.
            throw DocumentProblem(line: line, column: column, message: "an alias without its anchor")
        }
        return DocumentNode(value: value, line: line, column: column)
    }

    /// Converts the pairs; what `<<` names is added where the mapping does not have the key itself (yaml.org/type/merge.html).
    private mutating func convert(
        _ mapping: Node.Mapping,
        depth: Int
    ) throws(DocumentProblem) -> [(key: String, value: DocumentNode)] {
        var pairs: [(key: String, value: DocumentNode)] = []
        var merged: [DocumentNode] = []
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else {
                throw DocumentProblem(
                    line: key.mark?.line,
                    column: key.mark?.column,
                    message: "a key that is a list or a mapping; keys are text"
                )
            }
            let converted = try convert(value, depth: depth + 1)
            if scalar.string == "<<", scalar.style == .plain {
                if case .sequence(let sources) = converted.value { merged += sources } else { merged.append(converted) }
            } else {
                pairs.append((scalar.string, converted))
            }
        }
        guard !merged.isEmpty else { return pairs }
        var keys = Set(pairs.map(\.key))
        for source in merged {
            guard case .mapping(let sourcePairs) = source.value else {
                throw DocumentProblem(
                    line: source.line,
                    column: source.column,
                    message: "\"<<\" takes a mapping or a list of mappings"
                )
            }
            for pair in sourcePairs where keys.insert(pair.key).inserted { pairs.append(pair) }
        }
        return pairs
    }

    private static func problem(_ error: YamlError) -> DocumentProblem {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let during = context.map { "\($0.text) (from line \($0.mark.line)): " } ?? ""
            return DocumentProblem(line: mark.line, column: mark.column, message: during + problem)
        case .reader(let problem, _, _, _):
            return DocumentProblem(message: problem)
        case .duplicatedKeysInMapping(let keys, let context):
            return DocumentProblem(
                line: context.mark.line,
                column: context.mark.column,
                message: "the key \"\(keys.first ?? "")\" is there twice"
            )
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            return DocumentProblem(message: "\(error)")
        }
    }
}
