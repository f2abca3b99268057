import Foundation
import Glibc

/// What the operating system says of this process, under the names that every Prometheus client library uses
/// (prometheus.io/docs/instrumenting/writing_clientlibs, "Process metrics").
package struct ProcessCollector: MetricsCollector {
    package init() {}

    package func collect() async -> [MetricFamily] {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let memory = Self.memory()
        return [
            .counter(
                "process_cpu_seconds_total",
                "CPU time that the process has used, in user mode and in the kernel.",
                Self.seconds(usage.ru_utime) + Self.seconds(usage.ru_stime)
            ),
            .gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.", memory.resident),
            .gauge("process_virtual_memory_bytes", "Address space of the process.", memory.virtual),
            .gauge("process_open_fds", "Open file descriptors.", Self.openDescriptors()),
            .gauge(
                "process_max_fds",
                "The most file descriptors that the process may open.",
                Int(clamping: limit.rlim_cur)
            ),
            .gauge("process_start_time_seconds", "When the process began, in seconds since 1970.", Self.startTime),
        ]
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    /// In bytes (proc_pid_statm(5)).
    private static func memory() -> (virtual: Int, resident: Int) {
        let fields = read("/proc/self/statm").split(separator: " ").compactMap { Int($0) }
        let page = sysconf(Int32(_SC_PAGESIZE))
        return fields.count >= 2 ? (fields[0] * page, fields[1] * page) : (0, 0)
    }

    private static func openDescriptors() -> Int {
        guard let folder = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(folder) }
        // Without `.`, `..` and the one that reads them.
        var count = -3
        while readdir(folder) != nil { count += 1 }
        return count
    }

    /// The 22nd field of proc_pid_stat(5), in ticks since the machine started. The second, the command in parentheses, may hold anything.
    private static let startTime: Double = {
        let fields = ProcessCollector.read("/proc/self/stat").split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 19, let ticks = Double(fields[19]) else { return 0 }
        let sinceBoot = ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        let boot = ProcessCollector.clock(CLOCK_REALTIME) - ProcessCollector.clock(CLOCK_BOOTTIME)
        return ((boot + sinceBoot) * 100).rounded() / 100
    }()

    private static func clock(_ id: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(id, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// A file whose size the kernel tells only as it is read.
    private static func read(_ path: String) -> String {
        guard let data = FileManager.default.contents(atPath: path) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }
}
