import Core
import Foundation
import NIOCore
import Testing

@testable import TaskPod

@Suite("What the container has")
struct MachineResourcesTests {
    /// A folder that stands for `/`, with these files.
    private func resources(_ files: [String: String], _ environment: [String: String] = [:]) throws -> ResourceVector {
        let root = FileManager.default.temporaryDirectory.appending(path: "pod-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        for (path, text) in files {
            let file = root.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try text.write(to: file, atomically: false, encoding: .utf8)
        }
        return MachineResources(root: root.path, environment: environment, machineCPUs: 16).all
    }

    private static let memory = ["proc/meminfo": "MemFree: 1 kB\nMemTotal:       64000000 kB\nX: 2 kB\n"]

    @Test("without limits it is the machine")
    func machine() throws {
        #expect(try resources(Self.memory) == ResourceVector(cpus: 16_000, gpus: 0, memory: 65_536))
        #expect(try resources([:]) == ResourceVector(cpus: 16_000, gpus: 0, memory: 0))
    }

    @Test("the smallest limit of the cgroup and those above it counts, in fractions")
    func cgroup() throws {
        let files = Self.memory.merging([
            "proc/self/cgroup": "1:name=systemd:/x\n0::/kubepods/pod1/c1\n",
            "sys/fs/cgroup/kubepods/pod1/c1/cpu.max": "max 100000\n",
            "sys/fs/cgroup/kubepods/pod1/c1/memory.max": "8000000000\n",
            "sys/fs/cgroup/kubepods/pod1/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/kubepods/pod1/memory.max": "max\n",
            "sys/fs/cgroup/kubepods/cpu.max": "800000 100000\n",
        ]) { $1 }
        #expect(try resources(files) == ResourceVector(cpus: 1500, gpus: 0, memory: 8000))
    }

    @Test("inside a cgroup namespace the limits are at the top")
    func namespace() throws {
        let files = Self.memory.merging([
            "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "25000 100000\n",
            "sys/fs/cgroup/memory.max": "500000000\n",
        ]) { $1 }
        #expect(try resources(files) == ResourceVector(cpus: 250, gpus: 0, memory: 500))
    }

    @Test(
        "GPUs are the device files that the variables show",
        arguments: [
            ([:], 4),
            (["NVIDIA_VISIBLE_DEVICES": "all"], 4),
            (["NVIDIA_VISIBLE_DEVICES": ""], 4),
            (["NVIDIA_VISIBLE_DEVICES": "none"], 0),
            (["NVIDIA_VISIBLE_DEVICES": "void"], 0),
            (["NVIDIA_VISIBLE_DEVICES": "6,7"], 2),
            (["NVIDIA_VISIBLE_DEVICES": "GPU-aa,GPU-bb,GPU-cc"], 3),
            (["CUDA_VISIBLE_DEVICES": ""], 0),
            (["CUDA_VISIBLE_DEVICES": "-1"], 0),
            (["CUDA_VISIBLE_DEVICES": "0, 2"], 2),
            (["CUDA_VISIBLE_DEVICES": "0,0"], 1),
            (["CUDA_VISIBLE_DEVICES": "0,9,1"], 1),
            (["CUDA_VISIBLE_DEVICES": "MIG-1,MIG-2,MIG-3,MIG-4,MIG-5"], 5),
            (["NVIDIA_VISIBLE_DEVICES": "0,1", "CUDA_VISIBLE_DEVICES": "1"], 1),
        ] as [([String: String], Int64)]
    )
    func gpus(_ environment: [String: String], _ count: Int64) throws {
        var files = ["dev/nvidiactl": "", "dev/nvidia-uvm": "", "dev/nvidia": ""]
        for index in 0..<4 { files["dev/nvidia\(index)"] = "" }
        #expect(try resources(files, environment).gpus == count * 1000)
        #expect(try resources(["dev/nvidiactl": ""], environment).gpus == 0)
    }
}

@Suite("Settings of a pod")
struct PodSettingsTests {
    private func settings(_ options: [String: String] = [:], _ environment: [String: String] = [:]) -> PodSettings {
        let machine = MachineResources(root: "/nonexistent", environment: [:], machineCPUs: 3)
        var settings = PodSettings(environment: environment, machine: machine)
        for (option, value) in options { settings.set(option, value) }
        return settings
    }

    @Test("options go before the environment, and both before what is read from the machine")
    func order() throws {
        let configuration = try settings(
            ["gpus": "0.5", "port": "0", "name": "a"],
            [
                "NEUTRINO_POD_GPUS": "9", "NEUTRINO_POD_MEMORY_GB": "16.5", "NEUTRINO_POD_PORT": "",
                "NEUTRINO_POD_TASK_MS": "2.5",
            ]
        ).configuration()
        #expect(configuration.total == ResourceVector(cpus: 3000, gpus: 500, memory: 16_500))
        #expect(configuration.port == 0)
        #expect(configuration.host == "0.0.0.0")
        #expect(configuration.work.duration == .microseconds(2500))
        #expect(configuration.workers == nil)
    }

    @Test("a sidecar's settings are read")
    func sidecar() throws {
        let configuration = try settings([
            "upstream": "http://[::1]:8000/", "upstream-ready": "/health?x", "cancel-grace": "0",
            "max-concurrency": "4",
        ]).configuration()
        guard case .upstream(let upstream) = configuration.work else {
            Issue.record("not a sidecar")
            return
        }
        #expect(upstream.authority == "[::1]:8000")
        #expect(upstream.readyPath == "/health?x")
        #expect(upstream.cancelGrace == .zero)
        #expect(configuration.workers == 4)
    }

    @Test(
        "what is not accepted is named, with what is",
        arguments: [
            (["cpus": "-1"], [:], "--cpus: \"-1\" is not accepted; a number from 0 to 1000000 is"),
            (["cpus": "nan"], [:], "--cpus: \"nan\" is not accepted"),
            ([:], ["NEUTRINO_POD_MEMORY_GB": "x"], "NEUTRINO_POD_MEMORY_GB: \"x\" is not accepted"),
            (["port": "65536"], [:], "a whole number from 0 to 65535 is"),
            (["max-concurrency": "0"], [:], "a whole number from 1 to 1000000 is"),
            (["capacity-form": "round"], [:], "one of flat, nested is"),
            (["capacity-field": "maybe"], [:], "true and false are"),
            (["openapi": "/nonexistent.yaml"], [:], "/nonexistent.yaml: it cannot be read: No such file or directory"),
            (["upstream": "https://x"], [:], "\"https://x\" is not accepted as an upstream; http://HOST:PORT is"),
            (["upstream": "http://x:0"], [:], "http://HOST:PORT is"),
            (["upstream": "http://x/y"], [:], "without a path"),
            (["upstream": "http://x", "upstream-ready": "ready"], [:], "a path that begins with \"/\" is"),
            (["upstream": "http://x", "simulate": "true"], [:], "exclude each other"),
            (["upstream": "http://x", "task-ms": "1"], [:], "--task-ms has a meaning only without --upstream"),
            (["cancel-grace": "1"], [:], "--cancel-grace has a meaning only with --upstream"),
        ] as [([String: String], [String: String], String)]
    )
    func refused(_ options: [String: String], _ environment: [String: String], _ message: String) throws {
        let error = try #require(throws: TaskPodError.self) { try settings(options, environment).configuration() }
        #expect(error.description.contains(message), "\(error)")
    }
}
