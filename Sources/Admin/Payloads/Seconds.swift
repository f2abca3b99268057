import NIOCore

extension TimeAmount {
    /// In seconds, to the millisecond.
    var seconds: Double { (Double(nanoseconds) / 1e6).rounded() / 1000 }

    /// In seconds, to the microsecond.
    var preciseSeconds: Double { (Double(nanoseconds) / 1e3).rounded() / 1e6 }
}

extension Duration {
    /// In seconds, to the microsecond.
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        return ((Double(seconds) + Double(attoseconds) / 1e18) * 1e6).rounded() / 1e6
    }
}
