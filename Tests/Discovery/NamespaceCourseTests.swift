import OpenAPI
import Testing

@testable import Discovery

@Suite("What is asked of an API server next")
struct NamespaceCourseTests {
    /// Pauses as long as they can be.
    private struct Highest: RandomNumberGenerator, Sendable {
        func next() -> UInt64 { .max }
    }

    private static func course() -> NamespaceCourse { NamespaceCourse(generator: Highest()) }

    private static func list(_ names: String..., version: Int = 1) throws -> PodPages {
        var pages = PodPages()
        let items = names.map { APIPod($0).json() }.joined(separator: ",")
        try pages.add(page: .json(#"{"metadata":{"resourceVersion":"\#(version)"},"items":[\#(items)]}"#))
        return pages
    }

    private static func event(_ type: String, _ name: String, version: Int) throws -> WatchNews {
        .event(try .json(#"{"type":"\#(type)","object":\#(APIPod(name).json(version: version))}"#))
    }

    private static func bookmark(version: Int) throws -> WatchNews {
        .event(try .json(#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"\#(version)"}}}"#))
    }

    private static let away = DiscoveryError(.unreachable, "away")
    private static let refused = DiscoveryError(.refused, "refused")

    /// A list and a watch that works.
    private static func watching() throws -> NamespaceCourse {
        var course = course()
        _ = course.listed(try list("a"))
        _ = try course.hear(.taken)
        _ = try course.hear(.steady)
        _ = course.takeNews()
        return course
    }

    @Test("a list comes first, a watch goes on from it, and each next one from what was heard last")
    func order() throws {
        var course = Self.course()
        #expect(course.step == .list && course.takeNews() == nil)
        #expect(course.listed(try Self.list("a", version: 7)).isEmpty)
        #expect(course.step == .watch(from: "7"))
        let first = course.takeNews()
        #expect(first?.pods.map(\.name) == ["a"] && first?.problem == nil)
        _ = try course.hear(.taken)
        #expect(course.takeNews() == nil)
        _ = try course.hear(try Self.event("ADDED", "b", version: 8))
        #expect(course.takeNews()?.pods.map(\.name).sorted() == ["a", "b"])
        #expect(try course.hear(try Self.bookmark(version: 12)) == nil)
        #expect(course.takeNews() == nil)
        #expect(course.ended(nil) <= .milliseconds(50))
        #expect(course.step == .watch(from: "12") && course.takeNews() == nil)
    }

    @Test("while nobody answers the watch is tried again from where it was, twice a second, and nothing is listed")
    func away() throws {
        var course = try Self.watching()
        #expect(course.ended(Self.away) <= .milliseconds(50))
        // It broke in the middle, which they do.
        #expect(course.takeNews() == nil)
        for _ in 0..<19 {
            #expect(course.step == .watch(from: "1"))
            #expect(course.ended(Self.away) <= .milliseconds(500))
        }
        let told = course.takeNews()
        #expect(told?.problem == "away" && told?.pods.map(\.name) == ["a"])
        // That it is taken proves nothing yet.
        _ = try course.hear(.taken)
        #expect(course.takeNews() == nil)
        _ = try course.hear(try Self.event("ADDED", "b", version: 2))
        let mended = course.takeNews()
        #expect(mended != nil && mended?.problem == nil)
    }

    @Test("what it cannot go on from is listed at once, however long the API server was away before")
    func gone() throws {
        var course = try Self.watching()
        for _ in 0..<15 { _ = course.ended(Self.away) }
        _ = try course.hear(.taken)
        #expect(course.ended(DiscoveryError(.gone, "gone")) <= .milliseconds(50))
        #expect(course.step == .list)
        _ = course.listed(try Self.list("b", version: 99))
        #expect(course.step == .watch(from: "99"))
        _ = course.takeNews()
        _ = try course.hear(.taken)
        _ = try course.hear(.steady)
        let mended = course.takeNews()
        #expect(mended != nil && mended?.problem == nil)
    }

    @Test(
        "a watch that is refused, or that says what cannot be read, is told, and lists take its place",
        arguments: [.refused, .forbidden, .invalidAnswer] as [DiscoveryError.Code]
    )
    func refusal(code: DiscoveryError.Code) throws {
        var course = try Self.watching()
        var pauses: [Duration] = []
        for _ in 0..<12 {
            pauses.append(course.ended(DiscoveryError(code, "no")))
            #expect(course.step == .list)
            _ = course.listed(try Self.list("a"))
            // The list works, and says nothing about the watch: told once, and not taken back.
            #expect(course.takeNews()?.problem == "no")
        }
        #expect(pauses[0] <= .milliseconds(50))
        // They are listed less and less often.
        #expect(pauses[10] >= .seconds(8) && pauses[11] <= .seconds(15))
        _ = try course.hear(.taken)
        _ = try course.hear(try Self.bookmark(version: 2))
        let mended = course.takeNews()
        #expect(mended != nil && mended?.problem == nil)
    }

    @Test(
        "watches that are taken and end at once are told after a few, without flapping, and lists follow the pods seldom"
    )
    func fruitless() throws {
        for ending in [nil, Self.away] {
            var course = try Self.watching()
            var problems: [String?] = []
            var pauses: [Duration] = []
            for _ in 0..<40 {
                _ = try course.hear(.taken)
                pauses.append(course.ended(ending))
                if course.step == .list { _ = course.listed(try Self.list("a")) }
                if let state = course.takeNews(), problems.last != state.problem { problems.append(state.problem) }
            }
            let problem = "watches end before they say anything: pods are followed by lists only"
            #expect(problems.suffix(1) == [problem] && problems.count <= 2)
            #expect(pauses.last == .seconds(10))
            _ = try course.hear(.taken)
            _ = try course.hear(.steady)
            let mended = course.takeNews()
            #expect(mended != nil && mended?.problem == nil)
        }
    }

    @Test(
        "watches that are told each time that their version is gone are told in the server's words, without the version",
        arguments: [true, false]
    )
    func alwaysGone(isTaken: Bool) throws {
        var course = try Self.watching()
        var problems: [String?] = []
        for version in 0..<40 {
            if isTaken { _ = try course.hear(.taken) }
            _ = course.ended(.gone("too old resource version: \(version) (99)"))
            _ = course.listed(try Self.list("a"))
            if let state = course.takeNews(), problems.last != state.problem { problems.append(state.problem) }
        }
        let gone = "the API server has forgotten where to go on: too old resource version (410)"
        #expect(
            problems == [nil, "watches end before they say anything (\(gone)): pods are followed by lists only"]
        )
    }

    @Test("when what is wrong changes, what is wrong now is told")
    func latest() throws {
        var course = try Self.watching()
        _ = course.ended(DiscoveryError(.forbidden, "forbidden"))
        _ = course.listed(try Self.list("a"))
        #expect(course.takeNews()?.problem == "forbidden")
        for _ in 0..<3 {
            _ = try course.hear(.taken)
            _ = course.ended(.gone("too old"))
            _ = course.listed(try Self.list("a"))
        }
        #expect(course.takeNews()?.problem?.contains("too old (410)") == true)
        _ = course.ended(DiscoveryError(.forbidden, "forbidden"))
        #expect(course.takeNews()?.problem == "forbidden")
    }

    @Test(
        "a watch in which nothing was heard, not even a bookmark, is followed by a list; one that fell silent later is not"
    )
    func silent() throws {
        let silence = DiscoveryError(.silent, "silent")
        var course = try Self.watching()
        _ = course.ended(silence)
        #expect(course.step == .list && course.takeNews() == nil)
        _ = course.listed(try Self.list("a"))
        _ = try course.hear(.taken)
        _ = try course.hear(try Self.bookmark(version: 2))
        _ = course.ended(silence)
        #expect(course.step == .watch(from: "2"))
    }

    @Test("where watches alone cannot be had, lists are tried after a while, and it stays told")
    func unreached() throws {
        var course = try Self.watching()
        for _ in 0..<21 { _ = course.ended(Self.away) }
        #expect(course.step == .list)
        _ = course.listed(try Self.list("b", version: 9))
        let listed = course.takeNews()
        #expect(listed?.pods.map(\.name) == ["b"] && listed?.problem == "away")
        #expect(course.step == .watch(from: "9"))
        _ = course.ended(Self.away)
        #expect(course.step == .watch(from: "9"))
    }

    @Test("a list that is let in again ends that a watch was not")
    func unauthorized() throws {
        var course = try Self.watching()
        _ = course.ended(DiscoveryError(.unauthorized, "expired"))
        #expect(course.takeNews()?.problem == "expired")
        _ = course.listed(try Self.list("a"))
        let mended = course.takeNews()
        #expect(mended != nil && mended?.problem == nil)
    }

    @Test("lists that fail are told, and one that works ends the watch's trouble with theirs")
    func failingLists() throws {
        var course = Self.course()
        #expect(course.listFailed(Self.refused) <= .milliseconds(50))
        #expect(course.takeNews()?.problem == "refused" && course.step == .list)
        #expect(course.listFailed(Self.refused) <= .milliseconds(100))
        #expect(course.takeNews() == nil)
        _ = course.listed(try Self.list("a"))
        let mended = course.takeNews()
        #expect(mended != nil && mended?.problem == nil)
        _ = course.ended(DiscoveryError(.refused, "the watch too"))
        _ = course.listFailed(Self.refused)
        #expect(course.takeNews()?.problem == "refused")
        _ = course.listed(try Self.list("a"))
        let again = course.takeNews()
        #expect(again != nil && again?.problem == nil)
    }

    @Test("an object that is no pod that can be understood leaves the pod as it was, and is told; its end is its end")
    func misunderstood() throws {
        var course = try Self.watching()
        let strange = #"{"kind":"Pod","metadata":{"name":"a"},"spec":7,"status":[1]}"#
        let told = try course.hear(.event(.json(#"{"type":"MODIFIED","object":\#(strange)}"#)))
        #expect(told == #"an event MODIFIED of the pod "default/a": its spec is "7""#)
        var pages = PodPages()
        try pages.add(page: .json(#"{"metadata":{"resourceVersion":"5"},"items":[\#(strange)]}"#))
        #expect(course.listed(pages) == [#"the pod "default/a" of the list: its spec is "7""#])
        let listed = course.takeNews()
        #expect(listed?.pods.map(\.name) == ["a"] && listed?.pods.first?.isReady == true)
        #expect(try course.hear(.event(.json(#"{"type":"DELETED","object":\#(strange)}"#))) == nil)
        #expect(course.takeNews()?.pods.isEmpty == true)
    }

    @Test("what is not understood is warned of once, and not without end")
    func warnings() throws {
        var course = try Self.watching()
        let strange = try WatchNews.event(.json(#"{"type":"MUTATED","object":{}}"#))
        #expect(try course.hear(strange) != nil)
        #expect(try course.hear(strange) == nil)
        var count = 1
        for number in 0..<500 {
            let event = try WatchNews.event(.json(#"{"type":"NEW\#(number)","object":{}}"#))
            if try course.hear(event) != nil { count += 1 }
        }
        #expect(count == 20)
        var pages = PodPages()
        try pages.add(page: .json(#"{"items":[\#([String](repeating: "1", count: 500).joined(separator: ","))]}"#))
        #expect(pages.strange.count == 20)
    }
}
