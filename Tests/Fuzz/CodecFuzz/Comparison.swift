package import Core
package import HTTP
import NIOCore
import NIOEmbedded

/// The byte-level codec beside the one on llhttp: it accepts nothing that llhttp refuses, and frames every message as llhttp does. Where
/// a message is cut does not matter.
package enum Comparison {
    /// What a codec made of some bytes.
    package struct Reading<Message: Equatable>: Equatable {
        package var messages: [Message]
        package var isRefused: Bool
    }

    package static func read(
        requests pieces: [[UInt8]],
        by codec: MessageCodec,
        ends: Bool = false,
        limits: MessageLimits = MessageLimits()
    ) throws -> Reading<ReadRequest> {
        let wire = try RequestWire(codec, limits: limits)
        for piece in pieces { try wire.receive(piece) }
        if ends { wire.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        return Reading(messages: wire.requests, isRefused: wire.error != nil)
    }

    package static func read(
        answer pieces: [[UInt8]],
        to method: RequestMethod,
        by codec: MessageCodec,
        ends: Bool
    ) throws -> (reading: Reading<ReadAnswer>, interim: [Int]) {
        let wire = try AnswerWire(codec)
        try wire.send(method)
        for piece in pieces { try wire.receive(piece) }
        if ends { wire.channel.pipeline.fireChannelInactive() }
        return (Reading(messages: wire.answers, isRefused: wire.error != nil), wire.interim)
    }

    private static let lineEnds = Array("\r\n\r\n".utf8)

    /// What is wrong with the reading of some requests; nil when nothing is.
    package static func difference(requests bytes: [UInt8], pieces: [[UInt8]]) throws -> String? {
        let ours = try read(requests: [bytes], by: .bytes)
        // When a line that is not whole is refused may depend on the pieces; whether, may not.
        let (atOnce, inPieces) = try (
            read(requests: [bytes], by: .bytes, ends: true), read(requests: pieces, by: .bytes, ends: true)
        )
        guard inPieces == atOnce else { return "in pieces \(inPieces), at once \(atOnce)" }
        let theirs = try read(requests: [bytes], by: .nio)
        for (index, message) in ours.messages.enumerated() {
            guard message.isWhole || !ours.isRefused else { break }
            guard index < theirs.messages.count else { return "\(message) is not in \(theirs)" }
            var theirs = theirs.messages[index]
            let isUpgrade = theirs.fields.last == "Connection: close" && message.fields.last != "Connection: close"
            if isUpgrade { theirs.fields.removeLast() }
            guard theirs == message.asText else { return "ours: \(message), theirs: \(theirs)" }
            // llhttp stops here; what follows is not compared.
            if isUpgrade { return nil }
        }
        // llhttp looks at some lines byte by byte, we when they are whole: what matters is what becomes of them then.
        if !ours.isRefused, theirs.isRefused, ours.messages.last?.isWhole == false,
            try !read(requests: [bytes + lineEnds], by: .bytes).isRefused
        {
            return "taken, but refused by llhttp: \(ours)"
        }
        return nil
    }

    package static func difference(
        answer bytes: [UInt8],
        to method: RequestMethod,
        pieces: [[UInt8]],
        ends: Bool
    ) throws -> String? {
        let (ours, interim) = try read(answer: [bytes], to: method, by: .bytes, ends: ends)
        let (atOnce, inPieces) = try (
            read(answer: [bytes], to: method, by: .bytes, ends: true),
            read(answer: pieces, to: method, by: .bytes, ends: true)
        )
        guard inPieces == atOnce else { return "in pieces \(inPieces), at once \(atOnce)" }
        let (theirs, theirInterim) = try read(answer: [bytes], to: method, by: .nio, ends: ends)
        guard theirInterim.starts(with: interim) else { return "interim \(interim), theirs \(theirInterim)" }
        for (index, message) in ours.messages.enumerated() {
            guard message.isWhole || !ours.isRefused else { break }
            guard index < theirs.messages.count else { return "\(message) is not in \(theirs)" }
            var theirs = theirs.messages[index]
            theirs.reason = message.reason
            guard theirs == message.asText else { return "ours: \(message), theirs: \(theirs)" }
        }
        if !ours.isRefused, theirs.isRefused, ours.messages.last?.isWhole == false,
            try !read(answer: [bytes + lineEnds], to: method, by: .bytes, ends: ends).reading.isRefused
        {
            return "taken, but refused by llhttp: \(ours)"
        }
        return nil
    }
}

extension [String] {
    /// As NIOHTTP1 has it, which decodes names and values as UTF-8, each by itself.
    fileprivate var asText: [String] {
        map { line in
            let bytes = line.unicodeScalars.map { UInt8($0.value) }
            let colon = bytes.firstIndex(of: 0x3A)!
            let value = String(decoding: bytes[(colon + 2)...], as: UTF8.self)
            let text = String(decoding: bytes[..<colon], as: UTF8.self) + ": " + value
            return String(text.utf8.map { Character(UnicodeScalar($0)) })
        }
    }
}

extension ReadRequest {
    fileprivate var asText: ReadRequest {
        var copy = self
        copy.fields = fields.asText
        copy.trailers = trailers?.asText
        return copy
    }
}

extension ReadAnswer {
    fileprivate var asText: ReadAnswer {
        var copy = self
        copy.fields = fields.asText
        copy.trailers = trailers?.asText
        return copy
    }
}
