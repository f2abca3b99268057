import Core
import NIOCore
import Testing

@Suite struct ResourceHeaderTests {
    private static func read(_ text: String) -> ResourceVector? {
        ByteBuffer(string: text).withUnsafeReadableBytes { ResourceHeader.read($0) }
    }

    @Test(
        "Resources are read exactly",
        arguments: [
            ("cpus=6, gpus=1, memory_gb=20", (6000, 1000, 20_000)),
            ("cpus=0.5,gpus=0.001,\tmemory_gb=16.25", (500, 1, 16_250)),
            ("memory_gb=1", (0, 0, 1000)),
            ("cpus=1, cpus=2", (2000, 0, 0)),
            ("cpus=1.0;unit=core;x, workers=8, name=\"a, \\\"b\", kind=gpu/a100, ready=?1, spare", (1000, 0, 0)),
            ("  gpus=1000000  ", (0, 1_000_000_000, 0)),
            ("gpus=-0", (0, 0, 0)),
        ] as [(String, (Int64, Int64, Int64))]
    )
    func reading(text: String, expected: (Int64, Int64, Int64)) {
        #expect(Self.read(text) == ResourceVector(cpus: expected.0, gpus: expected.1, memory: expected.2))
    }

    @Test(
        "What is not plainly resources is refused whole",
        arguments: [
            "", " ", "workers=1", "cpus", "cpus=", "cpus=a", "cpus=-1", "cpus=1000001", "cpus=1.", "cpus=.5",
            "cpus=1.0005",
            "cpus=1e3", "cpus=NaN", "cpus=1 gpus=1", "cpus=1,", "cpus=1;", ",cpus=1", "CPUS=1", "cpus =1", "cpus= 1",
            "cpus=\"1\"",
            "cpus=(1 2)", "cpus=1, x=:YQ==:", "cpus=1, x=\"a", "cpus=9999999999999999", "cpus=1, x=?2", "cpus=?1",
            String(repeating: "cpus=1,", count: 200) + "cpus=1",
        ]
    )
    func refusing(text: String) {
        #expect(Self.read(text) == nil)
    }

    @Test("The lines of a field are one dictionary")
    func lines() {
        let fields = HeaderFields([
            ("neutrino-capacity", "cpus=1, gpus=2"), ("X", "cpus=9"), ("Neutrino-Capacity", "memory_gb=3, gpus=1"),
        ])
        let expected = ResourceVector(cpus: 1000, gpus: 1000, memory: 3000)
        #expect(ResourceHeader.read(ResourceHeader.capacity, from: fields) == expected)
        #expect(ResourceHeader.read(ResourceHeader.resources, from: fields) == nil)
        let broken = HeaderFields([("Neutrino-Capacity", "cpus=1"), ("Neutrino-Capacity", "gpus=x")])
        #expect(ResourceHeader.read(ResourceHeader.capacity, from: broken) == nil)
    }

    @Test("What is written is read back, and is what people write")
    func writing() {
        for vector in [
            ResourceVector(cpus: 1000, gpus: 500, memory: 16_250), .zero,
            ResourceVector(cpus: 1, gpus: 10, memory: 1_000_000_000),
        ] {
            var written = ByteBuffer()
            ResourceHeader.write(vector, into: &written)
            #expect(String(buffer: written) == vector.description)
            #expect(Self.read(String(buffer: written)) == vector)
        }
    }

    @Test("Numbers are written in decimal", arguments: [0, 7, 10, -1, 1234, Int.max, Int.min])
    func decimals(number: Int) {
        var written = ByteBuffer()
        written.writeDecimal(number)
        #expect(String(buffer: written) == "\(number)")
    }

    @Test(
        "Thousandths are written as their description says",
        arguments: [0, 1, 10, 100, 1000, 1500, -1, -1500, 123_456] as [Int64]
    )
    func thousandths(number: Int64) {
        var written = ByteBuffer()
        written.writeThousandths(number)
        #expect(String(buffer: written) == ResourceVector.decimal(number))
    }
}
