import Core
import NIOCore

/// The pod's answers about itself.
extension PodState {
    /// `GET /capacity`.
    func capacityReport() -> ByteBuffer {
        let ledger = snapshot()
        return JSONWriter.object { json in
            switch configuration.capacityForm {
            case .flat: Self.writeFlat(ledger, &json)
            case .nested: Self.writeNested(ledger, &json)
            }
        }
    }

    private static func writeFlat(_ ledger: AdmissionLedger, _ json: inout JSONWriter) {
        let free = ledger.free
        json.member("available_cpus", decimal: free.cpus)
        json.member("available_gpus", decimal: free.gpus)
        json.member("available_memory_gb", decimal: free.memory)
        json.member("total", ledger.total)
        if let workers = ledger.workers, let idle = ledger.idleWorkers {
            json.member("total_workers", workers)
            json.member("idle_workers", idle)
        }
    }

    private static func writeNested(_ ledger: AdmissionLedger, _ json: inout JSONWriter) {
        json.member("total", ledger.total)
        json.member("available", ledger.free)
        json.member("allocated", ledger.inUse)
        guard let workers = ledger.workers, let idle = ledger.idleWorkers else { return }
        json.key("workers")
        json.list { json in
            for worker in 0..<workers {
                json.object { json in
                    json.member("state", worker < idle ? "Idle" : "Busy")
                    json.member("available", worker < idle ? ledger.largest : .zero)
                }
            }
        }
    }

    /// `GET /health`: whether it takes tasks, and why not.
    func healthReport() -> (isHealthy: Bool, body: ByteBuffer) {
        let ledger = snapshot()
        let status = ledger.isDraining ? "draining" : ledger.isReady ? "ok" : "upstream not ready"
        return (status == "ok", JSONWriter.object { $0.member("status", status) })
    }

    /// `GET /_pod/stats`.
    func statisticsReport() -> ByteBuffer {
        let statistics = statistics()
        let ledger = snapshot()
        let repeated = repeatedRequests
        return JSONWriter.object(capacity: 2048) { json in
            json.member("name", configuration.name)
            json.member("accepted", statistics.accepted)
            json.member("refused", statistics.refused)
            json.member("completed", statistics.completed)
            json.member("cancelled", statistics.cancelled)
            json.member("failed", statistics.failed)
            json.member("running", statistics.running)
            json.member("gpu_requests", statistics.gpuRequests)
            json.key("gpu_busy_seconds")
            json.number("\(statistics.gpuBusySeconds)")
            json.key("uptime_seconds")
            json.number("\(Double((NIODeadline.now() - startedAt).nanoseconds) / 1e9)")
            json.member("total", ledger.total)
            json.member("in_use", ledger.inUse)
            json.member("peak", statistics.peak)
            json.member("peak_running", statistics.peakRunning)
            json.member("draining", ledger.isDraining)
            json.member("ready", ledger.isReady)
            json.key("repeated_requests")
            json.object { json in
                // Bounded, since nobody reads on after the first few.
                for (id, count) in repeated.sorted(by: { $0.key < $1.key }).prefix(1000) {
                    json.member(id, count)
                }
            }
        }
    }

    /// `GET /_pod/requests`.
    func requestsReport() -> ByteBuffer {
        let history = history()
        return JSONWriter.object(capacity: 64 + history.all.count * 17) { json in
            json.member("name", configuration.name)
            json.member("forgotten", history.forgotten)
            json.key("requests")
            json.list { json in
                for id in history.all { json.string(id) }
            }
        }
    }
}
