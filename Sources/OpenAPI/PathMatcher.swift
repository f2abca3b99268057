package import Core

/// Finds the operation that a request's method and path mean, without allocating.
///
/// Segment by segment a literal goes before `{name}.json`, and that before `{name}`; among several patterns the one with more
/// literal bytes, then the one with the longer beginning. Where the rest of the path or the method then has no operation, the next is tried, so `POST /a/b` finds
/// `POST /a/{x}` beside `GET /a/b`. HEAD uses GET's operation unless it has one of its own. A lookup visits each segment of the
/// templates at most once.
///
/// A path is matched as it is written; where nothing matches, as it is resolved (``ResolvedPath``), since there are servers that run
/// `/v1//train`, `/v1%2Ftrain`, `/x/../v1/train` and `/v1/train/` as `/v1/train`: no request is to need less by its spelling.
package struct PathMatcher<Value: Sendable>: Sendable {
    @usableFromInline package var trie = PathTrie()
    @usableFromInline package var values: [Value] = []
    private var templates: [PathTemplate] = []

    package init() {}

    package var isEmpty: Bool { values.isEmpty }

    /// Adds a value for a path.
    /// - Parameter method: nil for every method that has no value of its own there.
    /// - Throws: ``PathConflict`` where that method has a value already at this path or at one that no request can tell from it,
    ///   such as `/a/{y}` beside `/a/{x}`. Nothing is changed then.
    package mutating func insert(
        _ value: Value,
        at template: PathTemplate,
        method: RequestMethod?
    ) throws(PathConflict) {
        if let existing = trie.insert(template.segments, method: method, entry: Int32(values.count)) {
            throw PathConflict(method: method, template: template, existing: templates[Int(existing)])
        }
        values.append(value)
        templates.append(template)
    }

    /// The value for a request, nil where no template matches.
    /// - Parameter target: Origin-form, as it came: matching ends at `?`.
    @inlinable
    package func match(_ target: UnsafeRawBufferPointer, method: RequestMethod) -> Value? {
        let entry = trie.match(target, method: method)
        return entry < 0 ? nil : values[Int(entry)]
    }

    /// The value for a request, from text; for what is not the hot path.
    package func match(_ target: String, method: RequestMethod) -> Value? {
        var target = target
        return target.withUTF8 { match(UnsafeRawBufferPointer($0), method: method) }
    }
}

/// Two templates that no request can tell apart.
package struct PathConflict: Error, Sendable, CustomStringConvertible {
    /// nil for every method.
    package let method: RequestMethod?
    package let template: PathTemplate
    /// What is there already.
    package let existing: PathTemplate

    package var description: String {
        let method = method?.rawValue ?? "any method"
        return template.text == existing.text
            ? "\(method) \(template) is there twice"
            : "\(method) \(template) and \(existing) match the same requests"
    }
}
