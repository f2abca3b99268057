import Core
import NIOCore
import Testing

@Suite("Blocks of addresses, and whom proxies of ours name")
struct AddressBlockTests {
    @Test("An address block holds what its prefix says")
    func addressBlocks() throws {
        func holds(_ block: String, _ address: String) throws -> Bool {
            try #require(AddressBlock(block)).contains(try SocketAddress(ipAddress: address, port: 0))
        }
        #expect(try holds("10.0.0.0/8", "10.255.0.1"))
        #expect(try !holds("10.0.0.0/8", "11.0.0.1"))
        #expect(try holds("10.0.0.0/9", "10.127.0.1"))
        #expect(try !holds("10.0.0.0/9", "10.128.0.1"))
        #expect(try holds("0.0.0.0/0", "8.8.8.8"))
        #expect(try !holds("0.0.0.0/0", "fd00::1"))
        #expect(try holds("10.0.0.7", "::ffff:10.0.0.7"))
        #expect(try holds("::ffff:10.0.0.0/104", "10.9.9.9"))
        #expect(try holds("fd00::/8", "fdff::1"))
        #expect(try !holds("fd00::/8", "fe00::1"))
        for text in ["", "10.0.0.0/33", "fd00::/129", "host", "10.0.0.0/", "10.0.0.0/-1", "::ffff:10.0.0.0/8"] {
            #expect(AddressBlock(text) == nil, "\(text)")
        }
    }

    @Test("Loopback is loopback however it is written, and nothing is looked up")
    func loopback() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.9.8.7", "127.1", "127", "2130706433", "::1"] {
            // A number by itself is the whole address: 127 is 0.0.0.127.
            #expect(AddressBlock.isLoopback(host: host) == (host != "127"), "\(host)")
        }
        for host in ["0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"] { #expect(AddressBlock.isLoopback(host: host), "\(host)") }
        for host in [
            "", "0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "127.0.0.1.example", "127.0.0.256", "localhost.example",
            "host", "::2", "127.0.0.1 x", "fe80::1",
        ] {
            #expect(!AddressBlock.isLoopback(host: host), "\(host)")
        }
    }

    @Test(
        "The client is the last address that is no proxy of ours; what comes before it anyone can have written",
        arguments: [
            (["203.0.113.9"], "203.0.113.9"), (["6.6.6.6, 203.0.113.9, 10.1.1.1"], "203.0.113.9"),
            (["6.6.6.6", "203.0.113.9", "10.1.1.1"], "203.0.113.9"), (["10.2.2.2,10.1.1.1"], "10.2.2.2"),
            (["203.0.113.9, unknown, 10.1.1.1"], "10.1.1.1"), (["2001:db8::1"], "2001:db8::1"), (["unknown"], nil),
            ([], nil), (["::ffff:203.0.113.9"], "203.0.113.9"), (["203.0.113.9:567"], "203.0.113.9"),
            (["6.6.6.6, 203.0.113.9:567 , 10.1.1.1:80"], "203.0.113.9"),
            (["[2001:DB8::1]:567,10.1.1.1"], "2001:db8::1"),
            (["[2001:db8::1]"], "2001:db8::1"), (["203.0.113.9:x"], nil), (["[2001:db8::1]x"], nil), (["[::1"], nil),
            (["203.0.113.9:65536"], nil), ([":80"], nil),
        ] as [([String], String?)]
    )
    func client(values: [String], client: String?) throws {
        let proxies = [try #require(AddressBlock("10.0.0.0/8"))]
        #expect(proxies.client(forwardedFor: values) == client)
    }

    @Test("The addresses of one IPv6 network are one host's, and no others are")
    func host() {
        #expect(AddressBlock.host(of: "2001:db8:0:1::1") == "2001:db8:0:1::/64")
        #expect(AddressBlock.host(of: "2001:db8:0:1:ffff::2") == "2001:db8:0:1::/64")
        #expect(AddressBlock.host(of: "2001:db8:0:2::1") == "2001:db8:0:2::/64")
        for text in ["10.0.0.1", "10.0.0.2", "", "host"] { #expect(AddressBlock.host(of: text) == text) }
        for text in ["::ffff:10.0.0.1", "10.0.0.1:80", "[::ffff:10.0.0.1]:80", "::FFFF:a00:1"] {
            #expect(AddressBlock.host(of: text) == "10.0.0.1", "\(text)")
        }
        #expect(AddressBlock.host(of: "[2001:db8:0:1::1]:80") == "2001:db8:0:1::/64")
    }
}
