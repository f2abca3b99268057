import Core
import Testing

@Suite("Resource vectors")
struct ResourceVectorTests {
    @Test("needs are rounded up to the thousandth, reports to the nearest")
    func rounding() throws {
        let needs = try #require(ResourceVector(needingCPUs: 0.0001, gpus: 0.5, memoryGB: 1.2341))
        #expect(needs == ResourceVector(cpus: 1, gpus: 500, memory: 1235))
        let report = try #require(ResourceVector(reportedCPUs: 0.0004, gpus: 0.9996, memoryGB: 1.2344))
        #expect(report == ResourceVector(cpus: 0, gpus: 1000, memory: 1234))
    }

    @Test("a need that binary fractions cannot say does not grow by a thousandth")
    func binaryFractions() throws {
        let needs = try #require(ResourceVector(needingCPUs: 0.1 + 0.2, gpus: 0.001, memoryGB: 8.2))
        #expect(needs == ResourceVector(cpus: 300, gpus: 1, memory: 8200))
    }

    @Test(
        "what is negative, not a number or too large is refused",
        arguments: [-0.001, .nan, .infinity, 1_000_001, -.infinity]
    )
    func refusesNonsense(value: Double) {
        #expect(ResourceVector(needingCPUs: value, gpus: 0, memoryGB: 0) == nil)
        #expect(ResourceVector(needingCPUs: 0, gpus: value, memoryGB: 0) == nil)
        #expect(ResourceVector(reportedCPUs: 0, gpus: 0, memoryGB: value) == nil)
    }

    @Test("it fits only where every component fits")
    func fits() {
        let free = ResourceVector(cpus: 2000, gpus: 0, memory: 4000)
        #expect(ResourceVector(cpus: 2000, gpus: 0, memory: 4000).fits(in: free))
        #expect(!ResourceVector(cpus: 0, gpus: 1, memory: 0).fits(in: free))
        #expect(!ResourceVector(cpus: 2001, gpus: 0, memory: 0).fits(in: free))
        #expect(ResourceVector.zero.fits(in: .zero))
        #expect(!ResourceVector.zero.fits(in: ResourceVector(cpus: -1, gpus: 0, memory: 0)))
    }

    @Test(
        "amounts are written as people write them",
        arguments: [
            (1000, "1"), (500, "0.5"), (16_250, "16.25"), (1, "0.001"), (0, "0"), (-1500, "-1.5"), (10_010, "10.01"),
        ]
    )
    func writes(thousandths: Int64, text: String) {
        #expect(ResourceVector.decimal(thousandths) == text)
    }

    @Test("a vector is written as a structured-field dictionary")
    func writesDictionary() {
        #expect(ResourceVector(cpus: 1000, gpus: 1000, memory: 16_000).description == "cpus=1, gpus=1, memory_gb=16")
    }
}
