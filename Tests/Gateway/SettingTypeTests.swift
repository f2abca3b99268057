import Testing

@testable import Gateway

@Suite("How values are written")
struct SettingTypeTests {
    @Test(
        "Durations",
        arguments: [
            ("30", Duration.seconds(30), "30"), ("2.5", .milliseconds(2500), "2.5"),
            ("500ms", .milliseconds(500), "0.5"),
            ("0.25ms", .microseconds(250), "0.00025"), ("30s", .seconds(30), "30"), ("5m", .seconds(300), "300"),
            ("24h", .seconds(86_400), "24h"), ("1d", .seconds(86_400), "24h"), ("7d", .seconds(604_800), "7d"),
            ("1.5 h", .seconds(5400), "5400"), ("90m", .seconds(5400), "5400"), ("0", .zero, "0"),
            ("2H", .seconds(7200), "2h"),
        ]
    )
    func duration(_ text: String, _ value: Duration, _ shown: String) {
        #expect(DurationText.parse(text) == value)
        #expect(DurationText.format(value) == shown)
        #expect(DurationText.parse(shown) == value)
    }

    @Test(
        "What is no duration",
        arguments: [
            "", "s", ".5", "5.", "1e3", "-1", "+1", "1,5", "1w", "inf", "nan", "99999999999999", "1.0000001",
            "999999999999d", "٣",
        ]
    )
    func noDuration(_ text: String) {
        #expect(DurationText.parse(text) == nil)
    }

    @Test(
        "Sizes",
        arguments: [
            ("0", 0, "0"), ("4096", 4096, "4KiB"), ("100MiB", 100 << 20, "100MiB"), ("1 GiB", 1 << 30, "1GiB"),
            ("1Gi", 1 << 30, "1GiB"), ("2kb", 2000, "2000"), ("3GB", 3_000_000_000, "3000000000"),
            ("10TiB", 10 << 40, "10TiB"),
        ]
    )
    func size(_ text: String, _ value: Int, _ shown: String) {
        #expect(ByteSize.parse(text) == value)
        #expect(ByteSize.format(value) == shown)
        #expect(ByteSize.parse(shown) == value)
    }

    @Test("What is no size", arguments: ["", "MiB", "-1", "1.5GiB", "1XB", "99999999TiB", "1e6"])
    func noSize(_ text: String) {
        #expect(ByteSize.parse(text) == nil)
    }

    @Test("An unknown name finds the one that was meant, or none")
    func nearest() {
        let keys = SettingCatalogue.all.map(\.key)
        #expect(NearestName.find("hold_timout", among: keys) == "hold_timeout")
        #expect(NearestName.find("GATEWAYPORT", among: keys) == "gateway_port")
        #expect(NearestName.find("databse-path", among: keys) == "database_path")
        #expect(NearestName.find("frobnicate", among: keys) == nil)
        #expect(NearestName.find("", among: keys) == nil)
    }

    @Test("What is quoted in an error stays on its line")
    func quoting() {
        #expect(quoted("a\"b\\\n\u{1B}[31m\u{202E}") == "\"a\\\"b\\\\\\n\\u{1b}[31m\\u{202e}\"")
        #expect(quoted(String(repeating: "x", count: 100)).count == 83)
    }
}
