package import Core
import HTTP

/// One input of a fuzz run and what is compared about it, made of a number: the same seed over the same corpus makes the same input.
package struct FuzzInput: Sendable {
    package enum Kind: Sendable {
        case requests
        case answer(method: RequestMethod, ends: Bool)
    }

    package var kind: Kind
    package var bytes: [UInt8]
    private var pieces: [[UInt8]]
    private var isTrusted: Bool
    private var cutsEverywhere: Bool

    /// - Parameter corpus: Of one input in four, requests are taken, joined and spoiled.
    package init(seed: UInt64, corpus: [[UInt8]]) {
        var generator = MessageGenerator(seed: seed)
        switch seed % 4 {
        case 0 where !corpus.isEmpty:
            kind = .requests
            bytes = generator.requests(from: corpus)
        case 0, 1, 2:
            kind = .requests
            bytes = generator.requests()
        default:
            bytes = generator.answer()
            kind = .answer(method: generator.isTrue(oneIn: 8) ? .head : .get, ends: generator.isTrue(oneIn: 2))
        }
        pieces = generator.pieces(of: bytes)
        isTrusted = generator.isTrue(oneIn: 4)
        cutsEverywhere = bytes.count < 400 && generator.isTrue(oneIn: 200)
    }

    /// What is wrong; nil when nothing is.
    package func difference() throws -> String? {
        switch kind {
        case .requests:
            if let difference = try Comparison.difference(requests: bytes, pieces: pieces) { return difference }
            if let difference = try Comparison.difference(forwarding: bytes, isTrusted: isTrusted) { return difference }
        case .answer(let method, let ends):
            let difference = try Comparison.difference(answer: bytes, to: method, pieces: pieces, ends: ends)
            if let difference { return difference }
        }
        guard cutsEverywhere else { return nil }
        for cut in bytes.indices.dropFirst() {
            let halves = [Array(bytes[..<cut]), Array(bytes[cut...])]
            let difference =
                switch kind {
                case .requests: try Comparison.difference(requests: bytes, pieces: halves)
                case .answer(let method, let ends):
                    try Comparison.difference(answer: bytes, to: method, pieces: halves, ends: ends)
                }
            if let difference { return "cut at \(cut): \(difference)" }
        }
        return nil
    }

    /// Whether the codec under test takes a whole message of it.
    package func isTaken() throws -> Bool {
        switch kind {
        case .requests: try Comparison.read(requests: [bytes], by: .bytes).messages.contains(where: \.isWhole)
        case .answer(let method, _):
            try Comparison.read(answer: [bytes], to: method, by: .bytes, ends: true).reading.messages
                .contains(where: \.isWhole)
        }
    }
}

extension MessageGenerator {
    /// One to three requests of the corpus behind each other, most of them spoiled.
    mutating func requests(from corpus: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<(1 + number(below: 3)) {
            bytes += pick(corpus)
            if isTrue(oneIn: 3) {
                // A piece of another, anywhere.
                let other = pick(corpus)
                let start = number(below: other.count)
                let end = min(start + 1 + number(below: 60), other.count)
                bytes.insert(contentsOf: other[start..<end], at: number(below: bytes.count + 1))
            }
        }
        return spoiled(bytes)
    }
}
