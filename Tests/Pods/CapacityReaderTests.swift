import Core
import Pods
import Testing

@Suite("Reading a capacity answer")
struct CapacityReaderTests {
    @Test("the flat form is read, with its workers")
    func flat() throws {
        let report = try CapacityReader.read(
            #"{"available_cpus":8,"available_gpus":2.5,"available_memory_gb":32,"total_workers":8,"idle_workers":7}"#
                .utf8
        )
        #expect(report.available == ResourceVector(cpus: 8000, gpus: 2500, memory: 32_000))
        #expect(report.total == nil)
        #expect(report.totalWorkers == 8)
        #expect(report.idleWorkers == 7)
        #expect(report.workers == nil)
    }

    @Test("totals may be beside the flat form, and members that nobody knows are passed over")
    func flatWithTotal() throws {
        let report = try CapacityReader.read(
            #"""
            { "pod" : {"name":"a\"}\u00e9", "tags":[1,[2,{"x":[]}],-0.5e-3,true,false,null]},
              "available_memory_gb": 0, "available_gpus" : 0.0004, "available_cpus":1.0005e0,
              "total": {"cpus": 4, "gpus": 0, "memory_gb": 16, "disks": 3}, "idle_workers": null }
            """#.utf8
        )
        #expect(report.available == ResourceVector(cpus: 1001, gpus: 0, memory: 0))
        #expect(report.total == ResourceVector(cpus: 4000, gpus: 0, memory: 16_000))
        #expect(report.idleWorkers == nil)
    }

    @Test("the nested form is read, worker by worker")
    func nested() throws {
        let report = try CapacityReader.read(
            #"""
            {"total":{"cpus":8,"gpus":2,"memory_gb":32},"available":{"cpus":4,"gpus":1,"memory_gb":16},
             "allocated":{"cpus":4,"gpus":1,"memory_gb":16},
             "workers":[{"id":0,"state":"Idle","available":{"cpus":4,"gpus":1,"memory_gb":16}},{"id":1,"state":"Busy"}]}
            """#.utf8
        )
        #expect(report.available == ResourceVector(cpus: 4000, gpus: 1000, memory: 16_000))
        #expect(report.total == ResourceVector(cpus: 8000, gpus: 2000, memory: 32_000))
        #expect(
            report.workers == [
                CapacityReport.Worker(
                    available: ResourceVector(cpus: 4000, gpus: 1000, memory: 16_000),
                    isIdle: true
                ),
                CapacityReport.Worker(available: .zero, isIdle: false),
            ]
        )
    }

    @Test(
        "what is no capacity is refused in words",
        arguments: [
            ("", "ends too early"),
            ("   ", "ends too early"),
            ("OK", "no value begins"),
            ("<html>", "no value begins"),
            ("[]", "not a JSON object"),
            ("null", "not a JSON object"),
            ("{}", "available_cpus is missing"),
            (#"{"available_cpus":1,"available_gpus":1}"#, "available_memory_gb is missing"),
            (#"{"available_cpus":1,"available_gpus":null,"available_memory_gb":1}"#, "available_gpus is missing"),
            (#"{"available_cpus":-1,"available_gpus":0,"available_memory_gb":1}"#, "available_cpus is negative"),
            (#"{"available_cpus":-0.001,"available_gpus":0,"available_memory_gb":1}"#, "available_cpus is negative"),
            (#"{"available_cpus":NaN,"available_gpus":0,"available_memory_gb":1}"#, "no value begins"),
            (#"{"available_cpus":Infinity}"#, "no value begins"),
            (#"{"available_cpus":1e999,"available_gpus":0,"available_memory_gb":1}"#, "available_cpus is over 1000000"),
            (
                #"{"available_cpus":99999999999999999999,"available_gpus":0,"available_memory_gb":1}"#,
                "available_cpus is over 1000000"
            ),
            (#"{"available_cpus":"8"}"#, "available_cpus is not a number"),
            (#"{"available_cpus":true}"#, "available_cpus is not a number"),
            (#"{"available_cpus":01}"#, "not a number"),
            (#"{"available_cpus":1.}"#, "not a number"),
            (#"{"available_cpus":-}"#, "not a number"),
            (#"{"available_cpus":1"#, "a comma or a closing brace"),
            (#"{"available_cpus":1,}"#, "a string is missing"),
            (#"{"available_cpus" 1}"#, "a colon is missing"),
            (#"{"a":"b"#, "a string does not end"),
            (#"{"a":"\"#, "a string does not end"),
            (#"{"a":"\x"}"#, "an unknown escape"),
            (#"{"a":"\u12g4"}"#, "an unknown escape"),
            ("{\"a\":\"\n\"}", "a control character"),
            (#"{"a":tru}"#, "no value begins"),
            (#"{"available_cpus":1,"available_gpus":0,"available_memory_gb":1} x"#, "something follows its end"),
            (
                #"{"available_cpus":1,"available_gpus":0,"available_memory_gb":1,"idle_workers":-1}"#,
                "idle_workers is negative"
            ),
            (
                #"{"available_cpus":1,"available_gpus":0,"available_memory_gb":1,"idle_workers":1.5}"#,
                "not a whole number"
            ),
            (#"{"available":{"cpus":1,"gpus":0}}"#, "in available: memory_gb is missing"),
            (#"{"available":7}"#, "available is not an object"),
            (#"{"available":{"cpus":1,"gpus":0,"memory_gb":1},"total":{"cpus":-1}}"#, "in total: cpus is negative"),
            (#"{"available":{"cpus":1,"gpus":0,"memory_gb":1},"workers":[{"state":"Idle"}]}"#, "an idle worker"),
            (#"{"available":{"cpus":1,"gpus":0,"memory_gb":1},"workers":[1]}"#, "a member of workers"),
        ]
    )
    func refused(body: String, message: String) {
        let error = #expect(throws: PodsError.self) { try CapacityReader.read(body.utf8) }
        #expect(error?.code == .invalidReport)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "nothing")")
    }

    @Test("values nested without end do not use up the stack")
    func deep() {
        let body = #"{"a":"# + String(repeating: "[", count: 500_000)
        let error = #expect(throws: PodsError.self) { try CapacityReader.read(body.utf8) }
        #expect(error?.message.contains("in one another") == true)
    }

    @Test("no cut and no changed byte of an answer reads beyond its end")
    func mutations() throws {
        let body = Array(
            #"{"total":{"cpus":8,"gpus":2,"memory_gb":3e1},"available":{"cpus":4,"gpus":1,"memory_gb":1.5},"w":["\u00e9",null,true]}"#
                .utf8
        )
        _ = try CapacityReader.read(body)
        for length in 0..<body.count {
            // The allocation ends where the answer does, so that the sanitizer would see a byte read after it.
            #expect(throws: PodsError.self) { try CapacityReader.read(Array(body[..<length])) }
        }
        for index in body.indices {
            for byte in ["{", "}", "[", "]", "\"", "\\", ",", ":", "-", "9", "e", "\u{0}"].map({ $0.utf8.first! }) {
                var changed = body
                changed[index] = byte
                // Either outcome is right; that there is one is what is tested.
                _ = try? CapacityReader.read(changed)
            }
        }
    }
}
