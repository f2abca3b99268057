// swift-tools-version: 6.3
import PackageDescription

/// One list of settings for every target: new-language checks on, warnings are errors.
let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
    // Measured +9 % together with the static standard library; the debug build keeps the checks, and the tests run there.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioLocks: Target.Dependency = .product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing")
let inMemoryTracing: Target.Dependency = .product(name: "InMemoryTracing", package: "swift-distributed-tracing")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: dependencies,
        path: "Tests/\(name)",
        exclude: exclude,
        swiftSettings: settings
    )
}

let package = Package(
    name: "neutrino-gateway",
    products: [
        .executable(name: "neutrino-gateway", targets: ["neutrino-gateway"]),
        .executable(name: "neutrino-pod", targets: ["neutrino-pod"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", exact: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(
            url: "https://github.com/apple/swift-configuration",
            exact: "1.4.0",
            traits: ["YAML", "CommandLineArguments"]
        ),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .systemLibrary(
            name: "CSQLite",
            pkgConfig: "sqlite3",
            providers: [.apt(["libsqlite3-dev"])]
        ),
        .systemLibrary(
            name: "CCurl",
            pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"])]
        ),
        library("Core", [nioCore]),
        library("HTTP", ["Core", nioCore, nioPosix, nioHTTP1]),
        library("OpenAPI", ["Core", yams]),
        library("Migrations", [grdb]),
        library("Queue", ["Core", "Migrations", "CSQLite", grdb, nioCore, nioPosix, nioLocks, deque, logging]),
        library("Dispatcher", ["Core", "Queue", nioCore, nioLocks, deque, heap, logging, tracing]),
        library(
            "Pods",
            ["Core", "HTTP", "CCurl", nioCore, nioPosix, nioTLS, nioSSL, nioLocks, lifecycle, logging, heap]
        ),
        library("Discovery", ["Core", "OpenAPI", "Pods", nioCore, nioPosix, nioLocks, logging]),
        library(
            "Ingress",
            ["Core", "HTTP", "OpenAPI", "Queue", nioCore, nioPosix, nioLocks, lifecycle, logging, deque]
        ),
        library("Telemetry", ["HTTP", coreMetrics, tracing, nioCore, nioLocks, lifecycle, logging]),
        .target(
            name: "Admin",
            dependencies: [
                "Core", "Dispatcher", "Queue", "Telemetry", hummingbird, hummingbirdCore, httpTypes, nioCore, nioSSL,
                nioLocks, logging, lifecycle, crypto,
            ],
            // The page's files: `embed-page` makes a source of them.
            exclude: ["Page"],
            swiftSettings: settings,
            plugins: ["EmbedPage"]
        ),
        .plugin(name: "EmbedPage", capability: .buildTool(), dependencies: ["embed-page"]),
        .executableTarget(name: "embed-page", swiftSettings: settings),
        library(
            "TaskPod",
            ["Core", "HTTP", "OpenAPI", nioCore, nioPosix, nioLocks, logging, argumentParser, signals, crypto]
        ),
        library(
            "Gateway",
            [
                "Core", "HTTP", "OpenAPI", "Migrations", "Queue", "Dispatcher", "Pods", "Discovery", "Ingress", "Admin",
                "Telemetry", "TaskPod", coreMetrics, nioCore, nioPosix, nioLocks, lifecycle, signals, logging,
                configuration,
                argumentParser, yams, system,
            ]
        ),
        .executableTarget(name: "neutrino-gateway", dependencies: ["Gateway"], swiftSettings: settings),
        .executableTarget(name: "neutrino-pod", dependencies: ["TaskPod"], swiftSettings: settings),
        // Sees what is `package` only, so it is here and not with the load generator in Tests/Benchmarks.
        .executableTarget(
            name: "neutrino-measure",
            dependencies: [
                "Core", "HTTP", "Ingress", "Queue", "Dispatcher", nioCore, nioPosix, nioEmbedded, logging,
                argumentParser,
            ],
            path: "Tests/Measurements",
            swiftSettings: settings
        ),

        // What the codecs' tests and `make fuzz` share; no part of the product.
        .target(
            name: "CodecFuzz",
            dependencies: ["HTTP", "Core", nioCore, nioEmbedded],
            path: "Tests/Fuzz/CodecFuzz",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "neutrino-fuzz",
            dependencies: ["CodecFuzz", nioLocks],
            path: "Tests/Fuzz/neutrino-fuzz",
            swiftSettings: settings
        ),

        tests("Core", ["Core", nioCore]),
        tests("HTTP", ["HTTP", "CodecFuzz", "Core", nioCore, nioPosix, nioEmbedded, nioHTTP1]),
        tests("OpenAPI", ["OpenAPI", "Core"]),
        tests("Migrations", ["Migrations", grdb]),
        tests(
            "Queue",
            ["Queue", "Core", "Migrations", "CSQLite", grdb, nioCore, nioPosix, nioEmbedded, nioLocks, logging]
        ),
        tests(
            "Dispatcher",
            [
                "Dispatcher", "Queue", "Core", nioCore, nioPosix, nioEmbedded, nioLocks, logging, tracing,
                inMemoryTracing,
            ]
        ),
        tests(
            "Pods",
            ["Pods", "Discovery", "HTTP", "Core", nioCore, nioPosix, nioEmbedded, nioSSL, nioLocks, logging, lifecycle]
        ),
        tests("Discovery", ["Discovery", "Pods", "OpenAPI", "Core", nioCore, nioPosix, nioSSL, nioLocks, logging]),
        tests(
            "Ingress",
            [
                "Ingress", "HTTP", "OpenAPI", "Queue", "Core", nioCore, nioPosix, nioEmbedded, nioLocks, logging,
                lifecycle,
            ]
        ),
        tests(
            "Admin",
            [
                "Admin", "Dispatcher", "Queue", "Core", hummingbird, hummingbirdCore, httpTypes, nioCore, nioPosix,
                nioLocks, logging, grdb, crypto,
            ]
        ),
        tests(
            "TaskPod",
            ["TaskPod", "OpenAPI", "HTTP", "Core", nioCore, nioPosix, nioLocks, logging, lifecycle, subprocess]
        ),
        tests(
            "Gateway",
            [
                "Gateway", "Admin", "Core", "Discovery", "Dispatcher", "OpenAPI", "Queue", "Ingress", "Pods",
                "Telemetry",
                nioCore, nioPosix, nioLocks, logging, argumentParser,
            ]
        ),
        tests("Telemetry", ["Telemetry", "HTTP", coreMetrics, tracing, nioCore, nioEmbedded, nioLocks, logging]),
        tests("Modules", []),
        tests(
            "EndToEnd",
            [
                "Gateway", "TaskPod", "Core", "Queue", "Dispatcher", "HTTP", nioCore, nioPosix, nioHTTP1, nioLocks,
                logging,
                lifecycle, grdb,
                subprocess, system,
            ]
        ),
        // Of the tests alone: a file system for SQLite whose disk fails, a clock that jumps, and the gateway on them.
        .target(name: "CFaultyDisk", dependencies: ["CSQLite"], path: "Tests/CFaultyDisk"),
        .target(name: "CShiftedClock", path: "Tests/CShiftedClock"),
        .executableTarget(
            name: "faulty-gateway",
            dependencies: ["Gateway", "CFaultyDisk", "CShiftedClock"],
            path: "Tests/FaultyGateway",
            swiftSettings: settings
        ),
        tests(
            "Faults",
            [
                "Gateway", "TaskPod", "Core", "Queue", "Dispatcher", "HTTP", "CSQLite", "CFaultyDisk", "faulty-gateway",
                nioCore, nioPosix, nioHTTP1, nioLocks, logging, lifecycle, grdb, subprocess, system,
            ],
            // Faults that need no Swift: pods and clients of raw bytes.
            exclude: ["wire"]
        ),
    ],
    swiftLanguageModes: [.v6]
)
