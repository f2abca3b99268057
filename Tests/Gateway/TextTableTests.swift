import Testing

@testable import Gateway

@Suite("What commands print")
struct TextTableTests {
    @Test("columns line up, numbers at their right, and nothing stands at a line's end")
    func lines() {
        var table = TextTable([.left("A"), .right("N"), .long("TEXT")])
        table.add(["one", "1", "short"])
        table.add(["x", "1000", ""])
        #expect(
            table.text(width: nil) == """
                A       N  TEXT
                one     1  short
                x    1000

                """
        )
    }

    @Test(
        "where it is wider than the terminal, columns are left out, long ones cut, and last the lines",
        arguments: [20, 35, 36, 41, 42, 56, 57, 80]
    )
    func narrow(width: Int) {
        var table = TextTable([
            .left("ID"), .left("POD", spared: 1), .long("REASON"), .right("TIME", spared: 2), .left("END"),
        ])
        table.add(["0AMCGAA6W0000", "10.0.0.7:8080", "because of something that takes many words", "1 s", "end"])
        let lines = table.text(width: width).split(separator: "\n")
        #expect(lines.allSatisfy { VisibleText.width($0) <= width })
        #expect(lines[1].contains("…"))
        #expect(lines[1].contains("10.0.0.7") == (width >= 57))
        #expect(lines[1].contains("1 s") == (width >= 42))
        #expect(lines[1].hasSuffix("end") == (width >= 36))
    }

    @Test("without a terminal nothing is cut")
    func plain() {
        var table = TextTable([.long("A")])
        table.add([String(repeating: "x", count: 500)])
        #expect(table.text(width: Terminal.plain.width).contains(String(repeating: "x", count: 500)))
    }

    @Test("a column without anything in it is left out")
    func empty() {
        var table = TextTable([.left("GATEWAY"), .left("A")])
        table.add(["", "1"])
        #expect(table.text(width: nil) == "A\n1\n")
    }

    @Test(
        "nothing that a client sent reaches the terminal as a command",
        arguments: [
            ("\u{1B}]0;owned\u{07}", "\\u{1b}]0;owned\\u{7}"), ("a\r\nb", "a\\r\\nb"), ("\u{9B}2J", "\\u{9b}2J"),
            ("\u{202E}txt.exe", "\\u{202e}txt.exe"), ("a\u{2028}b", "a\\u{2028}b"), ("\0", "\\u{0}"),
            ("né 日本", "né 日本"),
        ]
    )
    func visible(text: String, shown: String) {
        #expect(VisibleText.line(text) == shown)
        var table = TextTable([.left("A")])
        table.add([text])
        #expect(table.text(width: nil) == "A\n\(shown)\n")
    }

    @Test("a body keeps its lines, and nothing else")
    func block() {
        #expect(VisibleText.block("{\n\t\"a\": \"\u{1B}[2J\"\r\n}") == "{\n\t\"a\": \"\\u{1b}[2J\"\\r\n}")
    }

    @Test("wide letters count twice, marks on letters not at all")
    func widths() {
        #expect(VisibleText.width("日本") == 4)
        #expect(VisibleText.width("e\u{301}") == 1)
        #expect(VisibleText.cut("日本語", to: 5) == "日本…")
        #expect(VisibleText.cut("日本語", to: 4) == "日…")
        #expect(VisibleText.cut("abc", to: 3) == "abc")
    }

    @Test(
        "durations are short, with their units",
        arguments: [
            (0, "0 ms"), (0.00042, "0.4 ms"), (0.0124, "12 ms"), (0.9996, "1 s"), (12.34, "12.3 s"), (59.96, "1m 00s"),
            (312, "5m 12s"), (3599.6, "1h 00m"), (11_100, "3h 05m"), (198_000, "2d 07h"), (-2, "-2 s"),
        ] as [(Double, String)]
    )
    func durations(seconds: Double, text: String) {
        #expect(ShownValue.duration(seconds) == text)
    }

    @Test("sizes and times are short too")
    func values() {
        #expect([512, 1536, 64 << 20].map { ShownValue.bytes($0) } == ["512 B", "1.5 KiB", "64 MiB"])
        #expect(ShownValue.time("2026-11-24T21:47:02.123Z") == "2026-11-24 21:47:02")
        #expect([2, 0.5, 0.125].map { ShownValue.number($0) } == ["2", "0.5", "0.125"])
    }
}
