import OpenAPI

/// What is asked of the API server next for one namespace, and what is known of it: from what lists and watches came to. No I/O, no clock.
///
/// Lists are dear, watches are cheap: a watch that ends, breaks or cannot be reached begins again where it was, and only what it cannot go
/// on from is listed.
struct NamespaceCourse: Sendable {
    /// What is to be done now.
    enum Step: Equatable, Sendable {
        case list
        /// From a version on.
        case watch(from: String?)
    }

    private(set) var step = Step.list
    private var known = NamespacePods()
    private var pace: RetryPace
    private var wasTried = false
    /// Of the last list; nil when it came.
    private var listProblem: String?
    /// Of the watch; a list that works says nothing about it, unless lists failed too, or it was that nobody believed who we are.
    private var watchTrouble: DiscoveryError?
    private var watch = Watch()
    /// Watches in a row that the server took and that ended before they showed that they work.
    private var fruitless = 0
    /// Watches in a row that nobody took, or answered.
    private var unreached = 0
    /// Lists since a watch last showed that it works.
    private var lists = 0
    private var warned: Set<String> = []
    private var toldProblem: String?
    private var isNews = false

    /// A watch that goes on.
    private struct Watch {
        var wasTaken = false
        /// An event that was understood, or a bookmark, came.
        var wasHeard = false
        /// It lasted.
        var wasSteady = false

        var works: Bool { wasHeard || wasSteady }
    }

    /// Watches in a row that may end without a word before lists take their place.
    private static let patience = 3
    /// Watches in a row that may not come about, some ten seconds, before a list is tried: watches alone may be kept from passing.
    private static let longPatience = 20
    /// Different things that are not understood and are warned of.
    private static let maximumWarnings = 20

    init(generator: any RandomNumberGenerator & Sendable) { pace = RetryPace(generator: generator) }

    private var problem: String? { listProblem ?? watchTrouble?.message }

    /// What is known, where that has changed since it was asked for last.
    mutating func takeNews() -> NamespaceWatch.State? {
        guard wasTried, isNews || problem != toldProblem else { return nil }
        isNews = false
        toldProblem = problem
        return NamespaceWatch.State(wasTried: true, pods: Array(known.pods.values), problem: problem)
    }

    // MARK: Lists

    /// - Returns: What in it is not understood, each the first time.
    mutating func listed(_ list: PodPages) -> [String] {
        known.replace(list)
        (wasTried, isNews) = (true, true)
        // What ended the lists ended the watch before them.
        if listProblem != nil || watchTrouble?.code == .unauthorized { watchTrouble = nil }
        listProblem = nil
        lists += 1
        begin(.watch(from: known.resourceVersion))
        return list.strange.compactMap { first($0) }
    }

    /// - Returns: The pause before the next step.
    mutating func listFailed(_ error: DiscoveryError) -> Duration {
        isNews = isNews || !wasTried
        wasTried = true
        listProblem = error.message
        return pace.pause(after: error)
    }

    // MARK: Watches

    /// - Returns: What is not understood, the first time.
    /// - Throws: A ``DiscoveryError`` for what ends the watch.
    mutating func hear(_ news: WatchNews) throws(DiscoveryError) -> String? {
        switch news {
        case .taken:
            watch.wasTaken = true
            unreached = 0
            return nil
        case .steady:
            watch.wasSteady = true
            pace.succeeded()
        case .event(let event):
            let effect = try known.apply(event)
            if case .strange(let what) = effect { return first(what) }
            if effect == .changed { isNews = true }
            watch.wasHeard = true
        }
        (fruitless, lists, watchTrouble) = (0, 0, nil)
        return nil
    }

    /// - Parameter error: nil where the server ended it.
    /// - Returns: The pause before the next step.
    mutating func ended(_ error: DiscoveryError?) -> Duration {
        // Whether it was taken and then told that its version is gone, or was refused for it, is the server's choice.
        if watch.wasTaken || error?.code == .gone, !watch.works { fruitless += 1 }
        var trouble: DiscoveryError?
        var needsList = fruitless >= Self.patience
        switch error?.code {
        case nil:
            // One that ends at once without a word may be no watch at all, but a page of something else: a list tells.
            needsList = needsList || !watch.works
        case .silent:
            // Not even a bookmark: something between may have swallowed what there was.
            needsList = needsList || !watch.wasHeard
        case .unreachable, .untrusted:
            // One that breaks after it was taken is told only where the next cannot begin.
            guard !watch.wasTaken else { break }
            trouble = error
            unreached += 1
            needsList = needsList || unreached >= Self.longPatience
        case .gone:
            // It answers, so what failed before is over, and pods are waiting to be found.
            needsList = true
            pace.succeeded()
        case .unauthorized, .forbidden, .refused, .invalidAnswer, .invalidConfiguration, .invalidFile:
            needsList = true
            trouble = error
        }
        if trouble == nil, fruitless >= Self.patience { trouble = Self.fruitless(after: error) }
        // In place of what was wrong before: who mends it looks for what is wrong now.
        watchTrouble = trouble ?? watchTrouble
        if needsList { unreached = 0 }
        begin(needsList ? .list : .watch(from: known.resourceVersion))
        let pause = pace.pause(after: error ?? DiscoveryError(.silent, "the watch has ended"))
        return needsList ? max(pause, pauseBeforeList) : pause
    }

    /// What several watches in a row that showed nothing are told as, from what ended the last.
    private static func fruitless(after error: DiscoveryError?) -> DiscoveryError {
        let words = if let error, error.code == .gone { " (\(error.message))" } else { "" }
        return DiscoveryError(
            .silent,
            "watches end before they say anything\(words): pods are followed by lists only"
        )
    }

    private mutating func begin(_ next: Step) {
        step = next
        watch = Watch()
    }

    /// None before the first that a working watch calls for; doubled with each that comes without one, up to ten seconds.
    private var pauseBeforeList: Duration {
        lists < 2 ? .zero : min(.milliseconds(250) * (1 << min(lists - 2, 6)), .seconds(10))
    }

    /// - Returns: What to warn of; nil where that was done.
    private mutating func first(_ what: String) -> String? {
        guard warned.count < Self.maximumWarnings, warned.insert(what).inserted else { return nil }
        return warned.count < Self.maximumWarnings ? what : "\(what); nothing more of the kind is told"
    }
}

/// What a watch tells, in order.
enum WatchNews: Sendable {
    /// The server has taken it.
    case taken
    case event(DocumentNode)
    /// It has lasted for ``NamespaceWatch/steady`` since it was taken.
    case steady
}
