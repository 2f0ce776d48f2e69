/** One-line breakages of the rules, each with the test that has to notice it. */

export interface Mutant {
  /** The rule that it breaks, or what it breaks of the store or the client. */
  readonly rule: string
  readonly breaks: string
  readonly file: string
  readonly from: string
  readonly to: string
  /** The test that kills it: its file, and a part of its full name where the file alone would say too little. */
  readonly test: string
  readonly name?: string
}

const cache = "test/layers/TokenCacheRef"
const contract = "test/contracts/TokenStoreContract.test.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    rule: "1 hot path",
    breaks: "count only the wall clock",
    file: "src/layers/time.ts",
    from: "return currentNanos < mark.nanos && clock",
    to: "return clock",
    test: `${cache}/clock.test.ts`
  },
  {
    rule: "2 single flight",
    breaks: "start a renewal for each caller",
    file: "src/layers/cache/Flight.ts",
    from: "      const joined = current\n      if (joined === undefined) {",
    to: "      const joined = current\n      if (joined === undefined || now() >= 0) {",
    test: `${cache}/singleFlight.test.ts`
  },
  {
    rule: "2 single flight",
    breaks: "wait for a dead flight for ever",
    file: "src/layers/cache/Flight.ts",
    from: "if (now() >= dies) giveUp(flight)",
    to: "",
    test: `${cache}/deadFlight.test.ts`
  },
  {
    rule: "2 single flight",
    breaks: "back off after a time-out of a stalled process",
    file: "src/layers/cache/Renewal.ts",
    from: "isLate(result.left) && stallCount() > stallsBefore",
    to: "isLate(result.left) && stallCount() < stallsBefore",
    test: `${cache}/stalledProcess.test.ts`
  },
  {
    rule: "2 single flight",
    breaks: "wait for a store without an end",
    file: "src/layers/time.ts",
    from: "interruptInBackground(effect).pipe(",
    to: "Effect.uninterruptible(effect).pipe(",
    test: `${cache}/singleFlight.test.ts`
  },
  {
    rule: "4 ahead of expiry",
    breaks: "make callers wait for a renewal ahead of expiry",
    file: "src/layers/TokenCacheRef.ts",
    from: "yield* renewal.flight.start",
    to: "yield* renewal.flight.run",
    test: `${cache}/renewAhead.test.ts`
  },
  {
    rule: "4 ahead of expiry",
    breaks: "hand out a token until its last millisecond",
    file: "src/layers/cache/State.ts",
    from: "Math.min(10_000, Duration.toMillis(session.lifetime) / 10)",
    to: "Math.min(0, Duration.toMillis(session.lifetime) / 10)",
    test: `${cache}/renewAhead.test.ts`
  },
  {
    rule: "5 refresh, otherwise issue",
    breaks: "use a refresh token again after a failure that may have been processed",
    file: "src/layers/cache/obtainSession.ts",
    from: 'error._tag === "LeaseLost" || wasNotProcessed(error)',
    to: 'error._tag === "LeaseLost" || error._tag === "Unavailable" || wasNotProcessed(error)',
    test: `${cache}/refreshOtherwiseIssue.test.ts`
  },
  {
    rule: "5 refresh, otherwise issue",
    breaks: "repeat a refresh whatever became of the first attempt",
    file: "src/layers/NombaAuthHttp.ts",
    from: 'operation("refresh", wasNotProcessed,',
    to: 'operation("refresh", constTrue,',
    test: "test/layers/NombaAuthHttpRetry.test.ts"
  },
  {
    rule: "5 refresh, otherwise issue",
    breaks: "refresh a session whose refresh is in flight",
    file: "src/layers/cache/obtainSession.ts",
    from: "(!stored.refreshInFlight || needsLogin)",
    to: "(stored.refreshInFlight || !stored.refreshInFlight || needsLogin)",
    test: `${cache}/refreshOtherwiseIssue.test.ts`
  },
  {
    rule: "5 refresh, otherwise issue",
    breaks: "refresh a session that was rejected early",
    file: "src/layers/cache/obtainSession.ts",
    from: "if (context.wasEnded(stored.session) && !needsLogin) return",
    to: "if (context.wasEnded(stored.session) && needsLogin) return",
    test: `${cache}/refreshOtherwiseIssue.test.ts`
  },
  {
    rule: "5 refresh, otherwise issue",
    breaks: "let a rejected session be adopted while another is requested",
    file: "src/layers/cache/obtainSession.ts",
    from: '!needsLogin) return replace(stored, "issue", context.issue)\n    const { refreshToken }',
    to: "!needsLogin) return issue(outOfTime)\n    const { refreshToken }",
    test: `${cache}/refreshOtherwiseIssue.test.ts`
  },
  {
    rule: "5 refresh, otherwise issue",
    breaks: "take a token that was rejected after its lifetime for one that was ended early",
    file: "src/layers/TokenCacheRef.ts",
    from: 'rejection: early ? "early" : "late"',
    to: 'rejection: early ? "early" : "early"',
    test: `${cache}/refreshOtherwiseIssue.test.ts`
  },
  {
    rule: "5 refresh, otherwise issue",
    breaks: "refresh without the old access token as the bearer",
    file: "src/layers/cache/obtainSession.ts",
    from: "auth.refresh({ refreshToken, accessToken: stored.session.accessToken })",
    to: "auth.refresh({ refreshToken })",
    test: `${cache}/refreshOtherwiseIssue.test.ts`
  },
  {
    rule: "5 refresh, otherwise issue",
    breaks: "interrupt a request that was sent when the scope closes",
    file: "src/layers/cache/Renewal.ts",
    from: "requesting !== undefined ? flight.settled : flight.stop",
    to: "requesting !== undefined ? flight.stop : flight.stop",
    test: `${cache}/closing.test.ts`
  },
  {
    rule: "5 refresh, otherwise issue",
    breaks: "send a token request without the time for it",
    file: "src/layers/time.ts",
    from: "Duration.sum(Duration.sum(wait, needed), HEADROOM)",
    to: "Duration.sum(wait, Duration.zero)",
    test: `${cache}/singleFlight.test.ts`
  },
  {
    rule: "invalidate by identity",
    breaks: "renew for the report of a token that is not the current one",
    file: "src/layers/cache/State.ts",
    from: "state.cached === undefined || state.cached.rejected || !sameToken(state.cached.session.accessToken, token)",
    to: "state.cached === undefined || state.cached.rejected",
    test: `${cache}/invalidate.test.ts`
  },
  {
    rule: "6 backoff",
    breaks: "request a token at once for every early rejection",
    file: "src/layers/cache/RenewalHistory.ts",
    from: "const wait = recent.length < FREE ? 0 :",
    to: "const wait = recent.length >= 0 ? 0 :",
    test: `${cache}/rejections.test.ts`
  },
  {
    rule: "6 backoff",
    breaks: "request a token at once after a failure",
    file: "src/layers/cache/RenewalHistory.ts",
    from: "backoff !== undefined && now < backoff.until",
    to: "backoff !== undefined && now < backoff.until && now < 0",
    test: `${cache}/backoff.test.ts`
  },
  {
    rule: "6 backoff",
    breaks: "read the store at every get while renewals are held back",
    file: "src/layers/cache/State.ts",
    from: "const READ_STORE_EVERY = 1_000",
    to: "const READ_STORE_EVERY = 0",
    test: `${cache}/backoff.test.ts`
  },
  {
    rule: "7 adopt before requesting",
    breaks: "adopt a token that was rejected",
    file: "src/layers/cache/State.ts",
    from: "history.tokens.get(Redacted.value(token))?.rejection === undefined &&\n",
    to: "",
    test: `${cache}/adoption.test.ts`
  },
  {
    rule: "7 adopt before requesting",
    breaks: "adopt a version that was cached already",
    file: "src/layers/cache/State.ts",
    from: "(stored.version > highest || isCached)",
    to: "(stored.version >= highest || isCached)",
    test: `${cache}/adoption.test.ts`
  },
  {
    rule: "7 adopt before requesting",
    breaks: "adopt a session whose refresh is in flight",
    file: "src/layers/cache/State.ts",
    from: "    !stored.refreshInFlight &&\n",
    to: "",
    test: `${cache}/adoption.test.ts`
  },
  {
    rule: "7 adopt before requesting",
    breaks: "hear no announcement",
    file: "src/layers/TokenCacheRef.ts",
    from: "Stream.runForEachChunk(versions, renewal.sync.follow)",
    to: "Stream.runDrain(versions)",
    test: `${cache}/adoption.test.ts`
  },
  {
    rule: "8 expiry is a lifetime",
    breaks: "compare Nomba's clock with ours",
    file: "src/schemas/Expiry.ts",
    from: "at - Option.getOrElse(server, () => sentAt)",
    to: "at - sentAt",
    test: "test/schemas/Expiry.test.ts"
  },
  {
    rule: "8 expiry is a lifetime",
    breaks: "count the lifetime from the answer",
    file: "src/layers/cache/obtainSession.ts",
    from: "Duration.subtract(session.lifetime, Duration.millis(now() - sentAt))",
    to: "Duration.subtract(session.lifetime, Duration.millis(0 * sentAt))",
    test: `${cache}/expiry.test.ts`
  },
  {
    rule: "9 logout",
    breaks: "leave no tombstone when the revocation fails",
    file: "src/layers/store/SessionStore.ts",
    from: "if (Exit.isSuccess(exit) && !exit.value) return yield* new LeaseLost()",
    to: "if (Exit.isFailure(exit)) return Exit.asVoid(exit)",
    test: `${cache}/logout.test.ts`
  },
  {
    rule: "3 repeated token",
    breaks: "count the lifetime of a repeated token from the start",
    file: "src/layers/cache/RenewalAttempt.ts",
    from: "progress.isRepeated ? boundRepeated(answered) : answered",
    to: "answered",
    test: `${cache}/repeatedToken.test.ts`
  },
  {
    rule: "3 repeated token",
    breaks: "call a renewal that left the next one due a success",
    file: "src/layers/cache/Renewal.ts",
    from: "const helped = isNew ? State.isFresh(cached, now()) : State.isServed(cached, now())",
    to: "const helped = State.isServed(cached, now())",
    test: `${cache}/repeatedToken.test.ts`
  },
  {
    rule: "5 refresh, otherwise issue",
    breaks: "write nothing back to a store that went back",
    file: "src/layers/cache/StoreSync.ts",
    from: "if (found.wentBack) yield* restore",
    to: "",
    test: `${cache}/storeWentBack.test.ts`
  },
  {
    rule: "6 backoff",
    breaks: "forget the backoff with the layer",
    file: "src/layers/processMemory.ts",
    from: "  closed.set(key, slot)",
    to: "  closed.delete(key)",
    test: `${cache}/layerPerRequest.test.ts`
  },
  {
    rule: "6 backoff",
    breaks: "suspend no route",
    file: "src/layers/cache/RouteGuard.ts",
    from: "if (route.proven >= 2 || route.needless >= 2) return suspend(route, now)",
    to: "",
    test: `${cache}/rejections.test.ts`
  },
  {
    rule: "6 backoff",
    breaks: "tell calls of one path apart by nothing but the path",
    file: "src/layers/http/OutgoingRequest.ts",
    from: "const content = Hash.string(",
    to: 'const content = ((_: string) => "")(',
    test: "test/layers/NombaClientHttpRejected.test.ts"
  },
  {
    rule: "6 backoff",
    breaks: "count no needless renewal",
    file: "src/layers/cache/RouteGuard.ts",
    from: "if (route?.token === token) route.needless += 1",
    to: "",
    test: `${cache}/rejections.test.ts`
  },
  {
    rule: "6 backoff",
    breaks: "hand a suspended route the 401 of a token that our own request ended",
    file: "src/layers/TokenCacheRef.ts",
    from: 'if (!renewal.isRequesting()) return "None"',
    to: 'return "None"',
    test: `${cache}/rejections.test.ts`
  },
  {
    rule: "6 backoff",
    breaks: "warn without naming the rival program",
    file: "src/layers/TokenCacheRef.ts",
    from: "otherLogins.some((found) => found >= since)",
    to: "otherLogins.some((found) => found < since)",
    test: `${cache}/contested.test.ts`
  },
  {
    rule: "10 shared failure",
    breaks: "share no failure with the fleet",
    file: "src/layers/cache/RenewalAttempt.ts",
    from: "if (reason === undefined) return Option.none()",
    to: "if (reason !== undefined) return Option.none()\n    if (reason === undefined) return Option.none()",
    test: `${cache}/sharedFailure.test.ts`
  },
  {
    rule: "the public client",
    breaks: "let a login that waited for the store replace a later one",
    file: "src/layers/cache/Login.ts",
    from: "if (own < lastLoginKept) return closed\n",
    to: "\n",
    test: `${cache}/publicLogin.test.ts`
  },
  {
    rule: "the public client",
    breaks: "send a refresh token again that Nomba has answered",
    file: "src/layers/cache/obtainSession.ts",
    from: "if (context.answered.has(token)) return issue()",
    to: "",
    test: "test/layers/refreshAnswered.test.ts"
  },
  {
    rule: "the public client",
    breaks: "drop the newer refresh token of a session that expired on arrival",
    file: "src/layers/cache/obtainSession.ts",
    from: "Option.flatMap(unusable, (_) => _.refreshToken),",
    to: "Option.none(),",
    test: "test/layers/refreshAnswered.test.ts"
  },
  {
    rule: "4 ahead of expiry",
    breaks: "end a token that is served when its renewal brings one that expired on arrival",
    file: "src/layers/cache/State.ts",
    from: "const isTooLate = stored.saved && ",
    to: "const isTooLate = !stored.saved && ",
    test: "test/layers/refreshAnswered.test.ts"
  },
  {
    rule: "2 single flight",
    breaks: "leave a background save without its timers for ever",
    file: "src/layers/cache/StoreSync.ts",
    from: "hasHeartbeat: timeline.isSystem",
    to: "hasHeartbeat: false",
    test: `${cache}/deadFlight.test.ts`
  },
  {
    rule: "the client",
    breaks: "hide the failed renewal after two adopted tokens behind a 401",
    file: "src/layers/http/Recovery.ts",
    from: 'if (origin !== "store") return attempt',
    to: 'if (replays === 2 || origin !== "store") return attempt',
    test: "test/layers/NombaClientHttpReplay.test.ts"
  },
  {
    rule: "the errors",
    breaks: "look for a secret in one encoding only",
    file: "src/schemas/SafeText.ts",
    from: "const DEPTH = 2",
    to: "const DEPTH = 1",
    test: "test/schemas/SafeText.test.ts"
  },
  {
    rule: "9 logout",
    breaks: "let a renewal that began before a logout put its session back",
    file: "src/layers/cache/State.ts",
    from: "cached: undefined, epoch: state.epoch + 1 }",
    to: "cached: undefined }",
    test: `${cache}/logout.test.ts`
  },
  {
    rule: "the store",
    breaks: "release a lease without being its owner",
    file: "src/layers/store/LeasedEntry.ts",
    from: "if (!isHeldBy(entry, owner, now)) return [false, entry]",
    to: "if (entry.lease === undefined) return [false, entry]",
    test: "test/layers/store/TokenStoreMemorySteps.test.ts"
  },
  {
    rule: "the store",
    breaks: "write without the version that was read",
    file: "src/layers/store/LeasedEntry.ts",
    from: "if (!isHeldBy(entry, owner, now) || stored !== expectedVersion || version <= stored)",
    to: "if (!isHeldBy(entry, owner, now) || version <= stored)",
    test: "test/layers/store/TokenStoreMemorySteps.test.ts"
  },
  {
    rule: "the store",
    breaks: "write without the lease",
    file: "src/layers/store/LeasedEntry.ts",
    from: "if (!isHeldBy(entry, owner, now) || stored !== expectedVersion || version <= stored)",
    to: "if (stored !== expectedVersion || version <= stored)",
    test: "test/layers/store/TokenStoreMemorySteps.test.ts"
  },
  {
    rule: "the store",
    breaks: "accept a late write of a file whose number was cleaned up",
    file: "src/layers/store/file/VersionedFile.ts",
    from: "if (newestOf(all) !== next) return false",
    to: "",
    test: "test/layers/TokenStoreFile/VersionedFile.test.ts"
  },
  {
    rule: "the store",
    breaks: "set aside what another key or codec can read",
    file: "src/layers/store/file/Driver.ts",
    from: 'reason === "StoreUnreadable"',
    to: "reason !== undefined",
    test: "test/layers/TokenStoreFile/unreadable.test.ts"
  },
  {
    rule: "the store",
    breaks: "open an encrypted session in another key's place",
    file: "src/layers/SessionCodec.ts",
    from: 'utf8([FORMAT, AES, id, version, key].join(" "))',
    to: 'utf8([FORMAT, AES, id, version].join(" "))',
    test: "test/layers/SessionCodec.test.ts"
  },
  {
    rule: "the store",
    breaks: "request a session without reading again under the lease",
    file: "src/layers/store/SessionStore.ts",
    from: "if (Option.isSome(adopted)) return yield* answerLater(adopted.value)",
    to: "",
    test: contract
  },
  {
    rule: "the store",
    breaks: "trust a check that is older than the lease",
    file: "src/layers/store/SessionStore.ts",
    from: "elapsed >= 0 && elapsed <= Duration.toMillis(LEASE_HEADROOM)",
    to: "elapsed >= 0 && elapsed <= Number.MAX_VALUE",
    test: "test/layers/store/SessionStore.test.ts",
    name: "Lease.assertHeld"
  },
  {
    rule: "the store",
    breaks: "count a check of the lease from the store's answer",
    file: "src/layers/store/SessionStore.ts",
    from: "sinceAsked = watch\n",
    to: "sinceAsked = yield* stopwatch\n",
    test: "test/layers/store/SessionStore.test.ts",
    name: "Lease.assertHeld"
  },
  {
    rule: "the store",
    breaks: "send a request without checking the lease last",
    file: "src/layers/cache/obtainSession.ts",
    from: "Effect.match(lease.assertHeld, { onFailure: () => false, onSuccess: () => true })",
    to: "Effect.succeed(true)",
    test: `${cache}/stall.test.ts`
  },
  {
    rule: "the store",
    breaks: "check the lease before the secret is read instead of after",
    file: "src/layers/auth/HttpAttempt.ts",
    from: "const request = yield* prepare\n      yield* (yield* AttemptGate).beforeSend",
    to: "yield* (yield* AttemptGate).beforeSend\n      const request = yield* prepare",
    test: "test/layers/NombaAuthHttpRetry.test.ts",
    name: "the gate between attempts"
  },
  {
    rule: "the store",
    breaks: "drop the session when the write fails",
    file: "src/layers/store/SessionStore.ts",
    from: "Effect.orElseSucceed(() => Option.none<number>())",
    to: "Effect.orDie",
    test: contract
  },
  {
    rule: "the store",
    breaks: "let an interruption come between Nomba's answer and the write",
    file: "src/layers/store/SessionStore.ts",
    from: "Effect.flatMap(restore(obtained), (session) => commitNew(holder, session, onStored))",
    to: "restore(Effect.flatMap(obtained, (session) => commitNew(holder, session, onStored)))",
    test: "test/layers/store/SessionStore.test.ts"
  },
  {
    rule: "the store",
    breaks: "give a session more time if its write to Redis took long",
    file: "src/layers/store/redis/scripts.ts",
    from: "math.min(ARGV[6], since + ARGV[5])",
    to: "since + ARGV[5]",
    test: "test/layers/TokenStoreRedis/late.test.ts",
    name: "a Redis that is frozen"
  },
  {
    rule: "the store",
    breaks: "give a session more time after a failover to another Redis",
    file: "src/layers/store/redis/scripts.ts",
    from: "math.min(ARGV[6], since + ARGV[5])",
    to: "tonumber(ARGV[6])",
    test: "test/layers/TokenStoreRedis/late.test.ts",
    name: "whose clock is behind"
  },
  {
    rule: "the store",
    breaks: "request another session if one could not be announced",
    file: "src/layers/store/redis/scripts.ts",
    from: "redis.call('PUBLISH', ARGV[6], '')",
    to: "",
    test: "test/layers/TokenStoreRedis/acl.test.ts",
    name: "could not be announced"
  },
  {
    rule: "the store",
    breaks: "wake all waiters when the lease is taken",
    file: "src/layers/store/redis/Driver.ts",
    from: ":unheard`",
    to: "`",
    test: "test/layers/TokenStoreRedis/entry.test.ts"
  },
  {
    rule: "the store",
    breaks: "keep a process alive that may not listen",
    file: "src/layers/store/redis/Subscriptions.ts",
    from: "Effect.as(unrefSleep(pause), false)",
    to: "Effect.as(Effect.sleep(pause), false)",
    test: "test/layers/TokenStoreRedis/keepAlive.test.ts"
  },
  {
    rule: "the store",
    breaks: "forget the time that an answer of the store took",
    file: "src/layers/store/SessionStore.ts",
    from: "const age = Math.max(0, elapsed())",
    to: "const age = Math.min(0, elapsed())",
    test: "test/layers/store/SessionStore.test.ts",
    name: "under way"
  },
  {
    rule: "the store",
    breaks: "write over a newer session of another process",
    file: "src/layers/store/SessionStore.ts",
    from: '? "Replaced" : "Current"',
    to: '? "Current" : "Current"',
    test: "test/layers/store/outcomeOf.test.ts"
  },
  {
    rule: "answers",
    breaks: "drop an answer that arrived during a stall",
    file: "src/layers/time.ts",
    from: ", Effect.zipRight(pollSockets))",
    to: ")",
    test: "test/layers/time.test.ts"
  },
  {
    rule: "answers",
    breaks: "let one stall use up the time-out",
    file: "src/layers/time.ts",
    from: "const STEPS = 10",
    to: "const STEPS = 1",
    test: "test/layers/time.test.ts"
  },
  {
    rule: "answers",
    breaks: "sleep in real time on another clock",
    file: "src/layers/time.ts",
    from: "clock === systemClock ? own(decoded)",
    to: "clock !== undefined ? own(decoded)",
    test: "test/layers/time.test.ts"
  },
  {
    rule: "answers",
    breaks: "read a body without an end",
    file: "src/layers/http/IncomingResponse.ts",
    from: "return size <= LIMIT",
    to: "return true",
    test: "test/layers/answers.test.ts"
  },
  {
    rule: "answers",
    breaks: "wait for a body without a time-out",
    file: "src/layers/http/IncomingResponse.ts",
    from: "Effect.raceFirst(Effect.as(late, tooSlow)),",
    to: "",
    test: "test/layers/answers.test.ts"
  },
  {
    rule: "requests",
    breaks: "leave the length of the body in a token request",
    file: "src/layers/auth/HttpAttempt.ts",
    from: 'Headers.remove(request.headers, "content-length")',
    to: "request.headers",
    test: "test/layers/NombaAuthHttp.test.ts",
    name: "no length"
  },
  {
    rule: "requests",
    breaks: "leave the length of the body in a request of NombaClient",
    file: "src/layers/http/OutgoingRequest.ts",
    from: "Headers.merge(all, withoutLength(request))",
    to: "Headers.merge(all, request.headers)",
    test: "test/layers/NombaClientHttp.test.ts",
    name: "states no length of a body"
  },
  {
    rule: "requests",
    breaks: "leave the body of a DELETE without a length",
    file: "src/layers/http/OutgoingRequest.ts",
    from: "/^(?:POST|PUT|PATCH)$/",
    to: "/^(?:POST|PUT|PATCH|DELETE)$/",
    test: "test/layers/NombaClientHttpSockets.test.ts",
    name: "a DELETE arrives"
  },
  {
    rule: "answers",
    breaks: "log the error with which a body broke off",
    file: "src/layers/http/IncomingResponse.ts",
    from: "Effect.matchCause({ onFailure: endOf,",
    to: "interruptInBackground,\n      Effect.matchCause({ onFailure: endOf,",
    test: "test/leaks/NombaAuthHttp.test.ts",
    name: "a body that breaks off"
  },
  {
    rule: "the errors",
    breaks: "take every failed refresh for one that was processed",
    file: "src/schemas/AuthError.ts",
    from: 'wasNotProcessed: this.processed === "no"',
    to: "wasNotProcessed: false",
    test: "test/layers/refreshNotProcessed.test.ts"
  },
  {
    rule: "the errors",
    breaks: "wait for what does not heal",
    file: "src/schemas/AuthError.ts",
    from: "healsByWaiting && !isRefusedByStore(this.detail)",
    to: "true",
    test: "test/schemas/AuthError.test.ts"
  },
  {
    rule: "answers",
    breaks: "show what a server echoes",
    file: "src/layers/auth/Classification.ts",
    from: "const safe = (text: string): string => mask(text, 200)",
    to: "const safe = (text: string): string => text + mask('', 200)",
    test: "test/layers/answers.test.ts"
  },
  {
    rule: "the client",
    breaks: "send the token to whatever host the path names",
    file: "src/layers/http/OutgoingRequest.ts",
    from: "url.origin === origin && url.username",
    to: "url.username",
    test: "test/layers/NombaClientHttpDestination.test.ts"
  },
  {
    rule: "the client",
    breaks: "take a 403 or a 429 as proof that the token is good",
    file: "src/layers/http/Recovery.ts",
    from: "status < 500 && status !== 401 && status !== 403 && status !== 429",
    to: "status < 500 && status !== 401",
    test: "test/layers/NombaClientHttpRejected.test.ts"
  },
  {
    rule: "the client",
    breaks: "send a payment again after a 500",
    file: "src/layers/http/Recovery.ts",
    from: "status < 500 || method",
    to: "status < 600 || method",
    test: "test/layers/NombaClientHttpRejected.test.ts"
  },
  {
    rule: "the client",
    breaks: "leave the connection of a long 401 open",
    file: "src/layers/http/IncomingResponse.ts",
    from: "let left = statedLength(response.headers) > DISCARD_LIMIT ? 0 : DISCARD_LIMIT",
    to: "if (statedLength(response.headers) > LIMIT) return Effect.void\n  let left = DISCARD_LIMIT",
    test: "test/layers/NombaClientHttpSockets.test.ts",
    name: "is cancelled, with a stated length"
  },
  {
    rule: "responses",
    breaks: "trust the code 200 of a transfer that failed",
    file: "src/layers/NombaResponse.ts",
    from: "if (FAILED.has(description)) return",
    to: 'if (FAILED.has(description) && code === "00") return',
    test: "test/layers/NombaResponse.test.ts"
  },
  {
    rule: "responses",
    breaks: "take a transfer with the code 201 for a failure",
    file: "src/layers/NombaResponse.ts",
    from: "isSuccess(status) && code === String(status)",
    to: "status === 200 && code === String(status)",
    test: "test/layers/NombaResponse.test.ts"
  },
  {
    rule: "responses",
    breaks: "take a 201 for a transfer that is paid",
    file: "src/layers/NombaResponse.ts",
    from: "response.status === 201 || status === 201 || description",
    to: "status === 201 || description",
    test: "test/layers/NombaResponse.test.ts"
  },
  {
    rule: "responses",
    breaks: "call a 5xx on POST retryable",
    file: "src/layers/NombaResponse.ts",
    from: "status === 429 || (status >= 500 && isRead)",
    to: "status === 429 || status >= 500",
    test: "test/layers/NombaResponse.test.ts"
  },
  {
    rule: "responses",
    breaks: "call a 408 certainly not processed",
    file: "src/layers/NombaResponse.ts",
    from: "status < 500 && status !== 408",
    to: "status < 500 && status !== 0",
    test: "test/layers/NombaResponse.test.ts"
  },
  {
    rule: "responses",
    breaks: "show the keys of a record in the issues",
    file: "src/layers/NombaResponse.ts",
    from: "isName(String(key)) ? String(key)",
    to: 'isName("a") ? String(key)',
    test: "test/layers/NombaResponse.test.ts"
  },
  {
    rule: "configuration",
    breaks: "revoke a session that other processes share",
    file: "src/layers/Nomba.ts",
    from: "config.revokeOnClose && isShared",
    to: "config.revokeOnClose && !isShared",
    test: "test/layers/Nomba.test.ts"
  },
  {
    rule: "configuration",
    breaks: "keep a private session while NOMBA_TOKEN_STORE names another store",
    file: "src/layers/Nomba.ts",
    from: "isShared ? Effect.succeedNone :",
    to: "!isShared ? Effect.succeedNone :",
    test: "test/layers/Nomba.test.ts"
  },
  {
    rule: "signals",
    breaks: "blame the account id for another program's login",
    file: "src/layers/cache/RouteGuard.ts",
    from: 'resource ? explain("another_program")',
    to: 'resource ? explain("account_or_route")',
    test: "test/layers/cache/earlyEnds.test.ts"
  },
  {
    rule: "7 adopt before requesting",
    breaks: "read the store because of an announcement of its own",
    file: "src/layers/cache/RenewalAttempt.ts",
    from: "      onStored: sync.stored,\n",
    to: "",
    test: `${cache}/adoption.test.ts`
  },
  {
    rule: "responses",
    breaks: "take a compressed body in one piece",
    file: "src/layers/http/IncomingResponse.ts",
    from: 'headers["content-encoding"] ?? ',
    to: "",
    test: "test/layers/http/IncomingResponse.test.ts"
  },
  {
    rule: "responses",
    breaks: "take a body in one piece that may be longer than it states",
    file: "src/layers/http/IncomingResponse.ts",
    from: ' ?? headers["transfer-encoding"]',
    to: "",
    test: "test/layers/http/IncomingResponse.test.ts"
  },
  {
    rule: "the proxy",
    breaks: "keep a request that has ended",
    file: "src/cli/serve/Proxy.ts",
    from: "    ofConnection.splice(at, 1)\n",
    to: "",
    test: "test/cli/serve/Proxy.test.ts",
    name: "is not HTTP"
  },
  {
    rule: "signals",
    breaks: "show what was left of the session when it was stored",
    file: "src/layers/telemetry.ts",
    from: "Object.assign(hook, { get: () => MetricState.gauge(value()) })",
    to: "hook.update(value())",
    test: "test/layers/telemetry.test.ts"
  },
  {
    rule: "signals",
    breaks: "leave a gap in the trace of a caller that waits",
    file: "src/layers/TokenCacheRef.ts",
    from: "if (renewing !== undefined) span.addLinks(",
    to: "if (renewing === undefined) span.addLinks(",
    test: "test/layers/telemetry.test.ts"
  }
]
