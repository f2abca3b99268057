import CodecFuzz
import Foundation
import Glibc
import NIOConcurrencyHelpers

// Runs inputs made by chance through the codecs on all cores: what our own reads, what llhttp reads, and what would be sent to a pod.
//
//     neutrino-fuzz COUNT [FIRST-SEED [CORPUS [STATE]]]
//
// Ends with 1 at a finding, with its seed. STATE is a file in which each thread's seed stands, eight bytes each: what is left of a crash.

let arguments = CommandLine.arguments
let count = arguments.count > 1 ? UInt64(arguments[1]) ?? 0 : 1_000_000
let first = arguments.count > 2 ? UInt64(arguments[2]) ?? 1 : 1
let corpus = arguments.count > 3 ? try CorpusCase.read(URL(filePath: arguments[3])).map(\.bytes) : []
let threads = max(1, ProcessInfo.processInfo.activeProcessorCount)
/// How long an input may take, in seconds: it hangs.
let patience = 20

/// Prints a line at once, so that it is there also after a crash.
@Sendable func say(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }

/// The seed that each thread is at, in a file or in memory.
nonisolated(unsafe) let seeds: UnsafeMutablePointer<UInt64> = {
    // `nonisolated(unsafe)`: each thread writes its own place, and the watch only reads: a torn value does no harm.
    let size = threads * MemoryLayout<UInt64>.size
    guard arguments.count > 4 else { return .allocate(capacity: threads) }
    let file = open(arguments[4], O_RDWR | O_CREAT, 0o600)
    ftruncate(file, size)
    return mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0).assumingMemoryBound(to: UInt64.self)
}()
for thread in 0..<threads { seeds[thread] = 0 }

struct Tally {
    var done: UInt64 = 0
    var taken: UInt64 = 0
    var findings = 0
    var running = 0
}
let tally = NIOLockedValueBox(Tally())
tally.withLockedValue { $0.running = threads }
// What is long says nothing more when it is changed, and takes long.
let short = corpus.filter { $0.count < 2000 }
let begin = Date()

for thread in 0..<threads {
    Thread.detachNewThread {
        var taken: UInt64 = 0
        var done: UInt64 = 0
        for seed in stride(from: first + UInt64(thread), to: first + count, by: threads) {
            seeds[thread] = seed
            let input = FuzzInput(seed: seed, corpus: short)
            let difference: String?
            do { difference = try input.difference() } catch { difference = "it throws \(error)" }
            if let difference {
                let bytes = String(decoding: input.bytes, as: UTF8.self).debugDescription
                say("seed \(seed): \(bytes)\n    \(difference)")
                if tally.withLockedValue({
                    $0.findings += 1
                    return $0.findings
                }) >= 20 {
                    break
                }
            }
            done += 1
            // Else the comparison would say nothing.
            if done % 64 == 0, (try? input.isTaken()) == true { taken += 1 }
            if done % 1024 == 0 {
                tally.withLockedValue {
                    $0.done += done
                    $0.taken += taken
                }
                (done, taken) = (0, 0)
            }
        }
        tally.withLockedValue {
            $0.done += done
            $0.taken += taken
            $0.running -= 1
        }
        seeds[thread] = 0
    }
}

var before = (0..<threads).map { _ in (seed: UInt64(0), since: Date()) }
var told = Date()
while tally.withLockedValue({ $0.running }) > 0 {
    Thread.sleep(forTimeInterval: 0.2)
    for thread in 0..<threads {
        if seeds[thread] == 0 || seeds[thread] != before[thread].seed { before[thread] = (seeds[thread], Date()) }
        if Int(-before[thread].since.timeIntervalSinceNow) > patience {
            say("seed \(before[thread].seed): it hangs")
            exit(1)
        }
    }
    if -told.timeIntervalSinceNow > 30 {
        told = Date()
        say("\(tally.withLockedValue { $0.done }) inputs …")
    }
}
let result = tally.withLockedValue { $0 }
let took = -begin.timeIntervalSinceNow
say(
    "\(result.done) inputs from seed \(first), \(result.findings) findings, \(Int(Double(result.done) / took)) a second, "
        + "\(64 * result.taken * 100 / max(1, result.done)) % with a whole message"
)
exit(result.findings == 0 && 64 * result.taken * 4 > result.done ? 0 : 1)
