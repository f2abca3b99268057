import CFaultyDisk
import CShiftedClock
import Dispatch
import Foundation
import Gateway

// The gateway on a disk at which it dies, and by a clock that jumps. For tests only, and no part of what is shipped: it does what the real
// program does, until it is told otherwise by a signal. Who sends one waits for the line that says that it was heard.

/// Does something when a signal comes.
func onSignal(_ number: Int32, _ says: String, _ act: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
    signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: DispatchQueue(label: "test-signals"))
    source.setEventHandler {
        act()
        FileHandle.standardError.write(Data("\(says)\n".utf8))
    }
    source.resume()
    return source
}

/// A variable of the environment.
func variable(_ name: String) -> String? { ProcessInfo.processInfo.environment[name] }

faulty_disk_install()
// Ends by SIGKILL when so many further writes, syncs and removals of the database are done.
let killPoint = onSignal(SIGUSR2, "kill point set") {
    faulty_disk_kill_after(variable("FAULTY_DISK_KILL_AFTER").flatMap { Int($0) } ?? 0)
}
// Moves the wall clock by the milliseconds that the file says.
let setClock: @Sendable () -> Void = {
    let text = variable("FAULTY_CLOCK_FILE").flatMap { try? String(contentsOfFile: $0, encoding: .utf8) }
    shifted_clock_set(text.flatMap { Int($0) } ?? 0)
}
let jump = onSignal(SIGUSR1, "clock set", setClock)
// Where there is a file already, from the beginning.
setClock()
await GatewayCommand.start()
