package import Core
import Glibc
import NIOCore

/// What the container or machine has, for what is not given on the command line: cgroup v2, `/proc` and NVIDIA's device files.
///
/// It is what this process may use: right for a pod whose server runs in the same container.
package struct MachineResources: Sendable {
    /// Folder that stands for `/`.
    private let root: String
    private let environment: [String: String]
    private let machineCPUs: Int

    package init(root: String = "/", environment: [String: String], machineCPUs: Int = System.coreCount) {
        self.root = root.hasSuffix("/") ? String(root.dropLast()) : root
        self.environment = environment
        self.machineCPUs = machineCPUs
    }

    /// Thousandths of a CPU: the smallest quota (`cpu.max`) of the process's cgroup and those above it, else the machine's cores.
    package var cpus: Int64 {
        let quotas = cgroupFolders.compactMap { folder -> Int64? in
            guard let words = text(folder + "/cpu.max")?.split(whereSeparator: \.isWhitespace), words.count == 2,
                let quota = Double(words[0]), let period = Double(words[1]), quota > 0, period > 0
            else { return nil }
            return Int64(min(quota / period, ResourceVector.maximumUnits) * 1000)
        }
        return min(quotas.min() ?? .max, Int64(machineCPUs) * 1000)
    }

    /// Thousandths of 10⁹ bytes: the smallest `memory.max`, else the machine's memory. Zero where neither can be read.
    package var memory: Int64 {
        let limits = cgroupFolders.compactMap { folder -> UInt64? in
            guard let line = text(folder + "/memory.max") else { return nil }
            return UInt64(line.prefix { $0.isNumber })
        }
        let smallest = min(limits.min() ?? .max, machineMemory ?? .max)
        return smallest == .max ? 0 : Int64(min(smallest / 1_000_000, UInt64(ResourceVector.maximumUnits) * 1000))
    }

    /// Thousandths of a GPU: NVIDIA's device files, as far as `NVIDIA_VISIBLE_DEVICES` and `CUDA_VISIBLE_DEVICES` show them.
    package var gpus: Int64 {
        let devices = names(in: "/dev").count { name in
            name.hasPrefix("nvidia") && name.count > 6 && name.dropFirst(6).allSatisfy { $0.isASCII && $0.isNumber }
        }
        var visible = devices
        // Empty is as good as unset for NVIDIA's container runtime; for CUDA empty means none.
        if let list = environment["NVIDIA_VISIBLE_DEVICES"], !list.isEmpty, list != "all" {
            // Indices of the machine, which may be larger than the count of what the container sees of it.
            visible = ["none", "void"].contains(list) ? 0 : Self.visible(list, of: visible, indexBound: .max)
        }
        if let list = environment["CUDA_VISIBLE_DEVICES"] {
            visible = Self.visible(list, of: visible, indexBound: visible)
        }
        return Int64(visible) * 1000
    }

    package var all: ResourceVector { ResourceVector(cpus: cpus, gpus: gpus, memory: memory) }

    /// How many devices a list shows: those before the first that does not exist, as CUDA counts. A slice of a GPU (`MIG-…`) is a
    /// device to CUDA, so there may be more of these than device files.
    private static func visible(_ list: String, of devices: Int, indexBound: Int) -> Int {
        guard devices > 0 else { return 0 }
        let words = list.split(separator: ",").map { $0.drop { $0 == " " } }
        var seen: Set<Substring> = []
        for word in words {
            if let index = Int(word) {
                guard index >= 0, index < indexBound else { break }
            } else {
                guard word.hasPrefix("GPU-") || word.hasPrefix("MIG-") else { break }
            }
            seen.insert(word)
        }
        return seen.contains { $0.hasPrefix("MIG-") } ? seen.count : min(seen.count, devices)
    }

    /// The process's cgroup and those above it.
    private var cgroupFolders: [String] {
        // `0::/kubepods/pod1/c1`; inside a cgroup namespace `0::/`.
        let own = text("/proc/self/cgroup")?.split(separator: "\n").first { $0.hasPrefix("0::") }?.dropFirst(3) ?? "/"
        var parts = own.split(separator: "/").filter { $0 != ".." }
        var folders: [String] = []
        while true {
            folders.append((["/sys/fs/cgroup"] + parts).joined(separator: "/"))
            guard parts.popLast() != nil else { return folders }
        }
    }

    private var machineMemory: UInt64? {
        guard let line = text("/proc/meminfo")?.split(separator: "\n").first(where: { $0.hasPrefix("MemTotal:") })
        else {
            return nil
        }
        return line.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }.map { $0 * 1024 }
    }

    /// The first 64 KiB of a file.
    private func text(_ path: String) -> String? {
        let descriptor = open(root + path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64 * 1024)
        let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
        return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
    }

    private func names(in path: String) -> [String] {
        guard let folder = opendir(root + path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
            )
        }
        return names
    }
}
