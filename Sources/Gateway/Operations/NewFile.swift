import Glibc
import NIOConcurrencyHelpers
import SystemPackage

/// A file that is there whole or not at all: written under another name beside it, only its owner may read it.
final class NewFile: Sendable {
    private struct State {
        var count = 0
        var error: Errno?
        var isClosed = false
    }

    let path: String
    private let temporary: FilePath
    private let descriptor: FileDescriptor
    private let state = NIOLockedValueBox(State())

    /// - Throws: ``GatewayError`` where it cannot be made.
    init(_ path: String) throws(GatewayError) {
        self.path = path
        temporary = FilePath("\(path).\(UInt32.random(in: 0 ... .max)).partial")
        do {
            descriptor = try FileDescriptor.open(
                temporary,
                .writeOnly,
                options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: [.ownerRead, .ownerWrite]
            )
        } catch {
            throw GatewayError(.usage, "cannot write beside \(quoted(path)): \(error)")
        }
    }

    /// Bytes so far.
    var count: Int { state.withLockedValue(\.count) }

    /// Adds bytes; false where they cannot be written, which ``finish(replacing:)`` tells.
    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        do {
            _ = try descriptor.writeAll(bytes)
            state.withLockedValue { $0.count += bytes.count }
            return true
        } catch {
            state.withLockedValue { $0.error = error as? Errno }
            return false
        }
    }

    /// What went wrong with writing.
    var error: GatewayError? {
        state.withLockedValue(\.error).map { GatewayError(.unreachable, "cannot write \(quoted(path)): \($0)") }
    }

    /// Gives it its name, once it is on the disk.
    /// - Parameter isReplacing: Whether a file of that name may go.
    func finish(replacing isReplacing: Bool) throws(GatewayError) {
        let temporary = "\(temporary)"
        guard fsync(descriptor.rawValue) == 0 else { throw failed() }
        // link(2), unlike rename(2), does not take another's place.
        guard isReplacing ? rename(temporary, path) == 0 : link(temporary, path) == 0 else {
            if errno == EEXIST { throw GatewayError(.usage, "\(quoted(path)) is there already; --force replaces it") }
            throw failed()
        }
        discard()
    }

    /// Removes what is there under the other name. May be called again.
    func discard() {
        let wasClosed = state.withLockedValue { state in
            defer { state.isClosed = true }
            return state.isClosed
        }
        guard !wasClosed else { return }
        try? descriptor.close()
        unlink("\(temporary)")
    }

    private func failed() -> GatewayError {
        GatewayError(.unreachable, "cannot write \(quoted(path)): \(String(cString: strerror(errno)))")
    }
}
