import SystemPackage

/// What commands print, written at once and whole.
enum StandardStream {
    case output
    case error

    func write(_ text: String) {
        let descriptor = self == .output ? FileDescriptor.standardOutput : .standardError
        _ = try? descriptor.writeAll(text.utf8)
    }
}
