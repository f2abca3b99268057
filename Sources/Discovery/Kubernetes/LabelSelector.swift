/// A label selector as Kubernetes writes it (kubernetes.io/docs/concepts/overview/working-with-objects/labels), checked before anybody is
/// asked with it; what it selects is the API server's to say.
package enum LabelSelector {
    /// - Throws: A ``DiscoveryError`` with the requirement that is none.
    package static func check(_ text: String) throws(DiscoveryError) {
        let requirements = split(text)
        guard !text.allSatisfy(\.isWhitespace) else { throw problem("", "it is empty") }
        for requirement in requirements { try check(requirement: requirement) }
    }

    /// At commas that stand outside brackets.
    private static func split(_ text: String) -> [String] {
        var parts = [""]
        var depth = 0
        for character in text {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if character == ",", depth == 0 {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        return parts.map { $0.trimmingSpaces() }
    }

    private static func check(requirement: String) throws(DiscoveryError) {
        guard !requirement.isEmpty else {
            throw problem(requirement, "between two commas, or at an end, stands nothing")
        }
        if requirement.hasPrefix("!") {
            return try check(key: requirement.dropFirst().description.trimmingSpaces(), requirement)
        }
        for mark in ["!=", "==", "=", ">", "<"] {
            guard let place = requirement.utf8.firstRange(of: mark.utf8) else { continue }
            try check(key: String(requirement[..<place.lowerBound]).trimmingSpaces(), requirement)
            return try check(value: String(requirement[place.upperBound...]).trimmingSpaces(), requirement)
        }
        guard let bracket = requirement.firstIndex(of: "(") else { return try check(key: requirement, requirement) }
        let words = requirement[..<bracket].split(whereSeparator: \.isWhitespace)
        guard words.count == 2, ["in", "notin"].contains(words[1]) else {
            throw problem(requirement, "before a list in brackets stand a key and `in` or `notin`")
        }
        try check(key: String(words[0]), requirement)
        guard requirement.hasSuffix(")") else {
            throw problem(requirement, "its bracket is not closed, or not at its end")
        }
        let list = requirement[requirement.index(after: bracket)...].dropLast()
        for value in list.split(separator: ",", omittingEmptySubsequences: false) {
            try check(value: String(value).trimmingSpaces(), requirement)
        }
    }

    /// A name of at most 63 characters, after a DNS name and a slash or without.
    private static func check(key: String, _ requirement: String) throws(DiscoveryError) {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        let isGood =
            switch parts.count {
            case 1: isName(parts[0])
            case 2:
                isName(parts[1]) && isSubdomain(parts[0])
            default: false
            }
        guard isGood else { throw problem(requirement, "\"\(key)\" is no key of a label") }
    }

    private static func check(value: String, _ requirement: String) throws(DiscoveryError) {
        guard value.isEmpty || isName(value[...]) else {
            throw problem(requirement, "\"\(value)\" is no value of a label")
        }
    }

    private static func isName(_ text: Substring) -> Bool {
        guard (1...63).contains(text.utf8.count), let first = text.utf8.first, let last = text.utf8.last else {
            return false
        }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && text.utf8.allSatisfy { isAlphanumeric($0) || "-_.".utf8.contains($0) }
    }

    /// As RFC 1123 has it, in lower case, as Kubernetes wants it.
    private static func isSubdomain(_ text: Substring) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                isName(label)
                    && label.utf8.allSatisfy { $0 != 0x5F && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
            }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    private static func problem(_ requirement: String, _ why: String) -> DiscoveryError {
        DiscoveryError(.invalidConfiguration, requirement.isEmpty ? why : "\"\(requirement)\": \(why)")
    }
}
