import CodecFuzz
import Core
import Foundation
import Testing

@testable import HTTP

/// The byte-level codec beside the one on llhttp: it accepts nothing that llhttp refuses, and frames every message as llhttp does. Where
/// a message is cut does not matter.
///
/// `NEUTRINO_FUZZ_COUNT` is the number of generated cases of each kind (default 2,000); `NEUTRINO_FUZZ_SEED` the first seed.
@Suite struct DifferentialTests {
    private static func environment(_ name: String, default value: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? value
    }

    private static let seeds: Range<UInt64> = {
        let first = UInt64(environment("NEUTRINO_FUZZ_SEED", default: 1))
        return first..<first + UInt64(environment("NEUTRINO_FUZZ_COUNT", default: 2000))
    }()

    @Test("Generated requests are framed as llhttp frames them")
    func requests() throws {
        var whole = 0
        for seed in Self.seeds {
            var generator = MessageGenerator(seed: seed)
            let bytes = generator.requests()
            let pieces = generator.pieces(of: bytes)
            if let difference = try Comparison.difference(requests: bytes, pieces: pieces) {
                Issue.record(
                    "seed \(seed): \(String(decoding: bytes, as: UTF8.self).debugDescription)\n\(difference.debugDescription)"
                )
            }
            if try Comparison.read(requests: [bytes], by: .bytes).messages.contains(where: \.isWhole) { whole += 1 }
        }
        // Else the comparison would say nothing.
        #expect(whole > Self.seeds.count / 3, "\(whole) of \(Self.seeds.count) have a whole request")
    }

    @Test("Generated answers are framed as llhttp frames them")
    func answers() throws {
        var whole = 0
        for seed in Self.seeds {
            var generator = MessageGenerator(seed: seed &+ 1 << 40)
            let bytes = generator.answer()
            let pieces = generator.pieces(of: bytes)
            let method = generator.isTrue(oneIn: 8) ? RequestMethod.head : .get
            let ends = generator.isTrue(oneIn: 2)
            if let difference = try Comparison.difference(answer: bytes, to: method, pieces: pieces, ends: ends) {
                Issue.record(
                    "seed \(seed): \(String(decoding: bytes, as: UTF8.self).debugDescription)\n\(difference.debugDescription)"
                )
            }
            let reading = try Comparison.read(answer: [bytes], to: method, by: .bytes, ends: true).reading
            if reading.messages.contains(where: \.isWhole) { whole += 1 }
        }
        #expect(whole > Self.seeds.count / 3, "\(whole) of \(Self.seeds.count) are whole")
    }

    @Test("What is forwarded of generated requests is one request, whoever reads it")
    func forwarding() throws {
        for seed in Self.seeds {
            var generator = MessageGenerator(seed: seed)
            let bytes = generator.requests()
            let difference = try Comparison.difference(forwarding: bytes, isTrusted: generator.isTrue(oneIn: 4))
            #expect(difference == nil, "seed \(seed)")
        }
    }

    /// `Tests/Fuzz/corpus`: what is published of request smuggling, and what `make fuzz` found.
    @Test("The published forms are framed as llhttp frames them, wherever they are cut, or refused")
    func published() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fuzz/corpus")
        let cases = try CorpusCase.read(folder)
        #expect(cases.count > 300)
        for each in cases where each.bytes.count < 1000 {
            for cut in 1..<each.bytes.count {
                let pieces = [Array(each.bytes[..<cut]), Array(each.bytes[cut...])]
                let difference = try Comparison.difference(requests: each.bytes, pieces: pieces)
                #expect(difference == nil, "\(each) cut at \(cut)")
            }
            #expect(try Comparison.difference(forwarding: each.bytes, isTrusted: false) == nil, "\(each)")
            if [400, 431, 501, 505].contains(each.status) {
                let reading = try Comparison.read(requests: [each.bytes], by: .bytes, ends: true)
                let isOwn = each.status == 501 && reading.messages.first?.isWhole == true
                #expect(reading.isRefused && reading.messages.allSatisfy { !$0.isWhole } || isOwn, "\(each)")
            }
        }
    }

    @Test("The corpus is framed as llhttp frames it, wherever it is cut")
    func corpus() throws {
        for text in RequestRefusalTests.refused.map(\.text) + RequestRefusalTests.taken where text.utf8.count < 1000 {
            let bytes = Array(text.utf8)
            for cut in 1..<bytes.count {
                let difference = try Comparison.difference(
                    requests: bytes,
                    pieces: [Array(bytes[..<cut]), Array(bytes[cut...])]
                )
                #expect(difference == nil, "\(text.debugDescription) cut at \(cut)")
            }
        }
        for text in AnswerCodecTests.refused where text.utf8.count < 1000 {
            let bytes = Array(text.utf8)
            for cut in 1..<bytes.count {
                let pieces = [Array(bytes[..<cut]), Array(bytes[cut...])]
                let difference = try Comparison.difference(answer: bytes, to: .get, pieces: pieces, ends: true)
                #expect(difference == nil, "\(text.debugDescription) cut at \(cut)")
            }
        }
    }
}
