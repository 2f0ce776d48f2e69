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
    breaks: "serve from memory after the clock has jumped back behind the adoption",
    file: "src/layers/cache/State.ts",
    from: "held !== undefined && now >= held.since && now < held.usableUntil",
    to: "held !== undefined && now < held.usableUntil",
    test: `${cache}/hotPath.test.ts`
  },
  {
    rule: "2 single flight",
    breaks: "begin a renewal for each caller",
    file: "src/layers/cache/SingleFlight.ts",
    from: "if (flight !== undefined) return flight",
    to: "",
    test: `${cache}/singleFlight.test.ts`
  },
  {
    rule: "2 single flight",
    breaks: "inherit the caller's fiber",
    file: "src/layers/cache/SingleFlight.ts",
    from: "const launch = Effect.sync((): Flight<E> => {",
    to: "const launch = Effect.map(Effect.context<never>(), (context): Flight<E> => {\n    fork = ((plain: Fork): Fork => (effect) => plain(Effect.provide(effect, context)))(fork)",
    test: `${cache}/singleFlight.test.ts`,
    name: "the renewal sees anything of the caller"
  },
  {
    rule: "2 single flight",
    breaks: "fail a renewal in which the process stood still",
    file: "src/layers/cache/Renewal.ts",
    from: "Mint.isOutOfTime(error) && cell.now() >= deadline",
    to: "Mint.isOutOfTime(error) && cell.now() < 0",
    test: `${cache}/standstill.test.ts`
  },
  {
    rule: "2 single flight",
    breaks: "wait for a store without an end",
    file: "src/layers/wait/atMost.ts",
    from: "Effect.disconnect(effect).pipe(",
    to: "Effect.uninterruptible(effect).pipe(",
    test: `${cache}/singleFlight.test.ts`
  },
  {
    rule: "3 ahead",
    breaks: "make callers wait for a renewal ahead of expiry",
    file: "src/layers/cache/State.ts",
    from: 'isHeldBack ? (mayLook ? "look" : "nothing") : "renew"\n    return { _tag: "Serve", held, background }',
    to: 'isHeldBack ? (mayLook ? "look" : "nothing") : "renew"\n    return background === "renew" ? { _tag: "Renew" } : { _tag: "Serve", held, background }',
    test: `${cache}/ahead.test.ts`
  },
  {
    rule: "3 ahead",
    breaks: "hand out a token until its last millisecond",
    file: "src/layers/cache/State.ts",
    from: "Math.min(10_000, Duration.toMillis(session.lifetime) / 10)",
    to: "0",
    test: `${cache}/ahead.test.ts`
  },
  {
    rule: "4 refresh, else start",
    breaks: "use a refresh token again after a failure that may have been processed",
    file: "src/layers/cache/Mint.ts",
    from: 'error._tag === "LeaseLost" || wasNotProcessed(error)',
    to: 'error._tag === "LeaseLost" || wasNotProcessed(error) || error._tag === "Unavailable"',
    test: `${cache}/refreshElseStart.test.ts`
  },
  {
    rule: "4 refresh, else start",
    breaks: "repeat a refresh whatever became of the first attempt",
    file: "src/layers/NombaAuthHttp.ts",
    from: 'operation("refresh", wasNotProcessed,',
    to: 'operation("refresh", constTrue,',
    test: "test/layers/NombaAuthHttpRetry.test.ts"
  },
  {
    rule: "4 refresh, else start",
    breaks: "refresh with a marked refresh token",
    file: "src/layers/cache/Mint.ts",
    from: "() => !marked || source.interactive",
    to: "() => true",
    test: `${cache}/refreshElseStart.test.ts`
  },
  {
    rule: "4 refresh, else start",
    breaks: "refresh a session that somebody ended",
    file: "src/layers/cache/Mint.ts",
    from: "if (wasEnded(session) && !source.interactive) return",
    to: "if (lease === undefined) return",
    test: `${cache}/refreshElseStart.test.ts`
  },
  {
    rule: "4 refresh, else start",
    breaks: "let a session that somebody ended be taken over while another is started",
    file: "src/layers/cache/Mint.ts",
    from: "return replace(stored, source.start)",
    to: "return start(outOfTime)",
    test: `${cache}/refreshElseStart.test.ts`
  },
  {
    rule: "4 refresh, else start",
    breaks: "take a token that was rejected at the end of its time for one that somebody ended",
    file: "src/layers/cache/State.ts",
    from: "refused: { token, isEarly: isLive(held, now) }",
    to: "refused: { token, isEarly: true }",
    test: `${cache}/refreshElseStart.test.ts`
  },
  {
    rule: "4 refresh, else start",
    breaks: "refresh without the old access token as the bearer",
    file: "src/layers/cache/Mint.ts",
    from: "auth.refresh({ refreshToken, accessToken: stored.session.accessToken })",
    to: "auth.refresh({ refreshToken })",
    test: `${cache}/refreshElseStart.test.ts`
  },
  {
    rule: "4 refresh, else start",
    breaks: "let the scope kill a request that was sent",
    file: "src/layers/cache/Renewal.ts",
    from: "(isMinting ? flight.settled : flight.stop)",
    to: "flight.stop",
    test: `${cache}/closing.test.ts`
  },
  {
    rule: "4 refresh, else start",
    breaks: "begin a call to Nomba without the time for it",
    file: "src/services/AttemptGate.ts",
    from: "Duration.sum(Duration.sum(wait, needed), HEADROOM)",
    to: "Duration.sum(wait, Duration.zero)",
    test: `${cache}/singleFlight.test.ts`
  },
  {
    rule: "5 invalidate by identity",
    breaks: "renew for the report of a token that is not in hand",
    file: "src/layers/cache/State.ts",
    from: "if (held === undefined || held.rejected || !sameToken(held.session.accessToken, token)) return state",
    to: "if (held === undefined || held.rejected) return state",
    test: `${cache}/invalidate.test.ts`
  },
  {
    rule: "6 pace",
    breaks: "reset the pace on any success",
    file: "src/layers/cache/Pace.ts",
    from: "remedies.last !== undefined && Redacted.value(remedies.last.token) === Redacted.value(token) ? noRemedies : remedies",
    to: "token === undefined ? remedies : noRemedies",
    test: `${cache}/pace.test.ts`
  },
  {
    rule: "6 pace",
    breaks: "call Nomba at once after a failure",
    file: "src/layers/cache/Pace.ts",
    from: "span !== undefined && now >= span.since && now < span.until",
    to: "span !== undefined && now < span.since",
    test: `${cache}/pace.test.ts`
  },
  {
    rule: "6 pace",
    breaks: "look into the store at every get while renewals are held back",
    file: "src/layers/cache/State.ts",
    from: "const LOOK_EVERY = 1_000",
    to: "const LOOK_EVERY = 1",
    test: `${cache}/pace.test.ts`
  },
  {
    rule: "7 adopt before you mint",
    breaks: "adopt without comparing the identity of the rejected token",
    file: "src/layers/cache/State.ts",
    from: "    !isRefused(state, token) &&\n",
    to: "",
    test: `${cache}/adopt.test.ts`
  },
  {
    rule: "7 adopt before you mint",
    breaks: "adopt a version that has been held already",
    file: "src/layers/cache/State.ts",
    from: "(stored.version > highest || isInHand)",
    to: "(stored.version >= highest || isInHand)",
    test: `${cache}/adopt.test.ts`
  },
  {
    rule: "7 adopt before you mint",
    breaks: "adopt a session whose refresh token is being spent",
    file: "src/layers/cache/State.ts",
    from: "    !stored.marked &&\n",
    to: "",
    test: `${cache}/adopt.test.ts`
  },
  {
    rule: "7 adopt before you mint",
    breaks: "subscribe to announcements some time after the cache was built",
    file: "src/layers/TokenCacheRef.ts",
    from: "Stream.runForEachChunk(versions, renewal.follow)",
    to: "Stream.runForEachChunk(Stream.unwrapScoped(store.changes), renewal.follow)",
    test: `${cache}/adopt.test.ts`
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
    file: "src/layers/cache/Mint.ts",
    from: "Duration.subtract(session.lifetime, Duration.millis(elapsed))",
    to: "Duration.subtract(session.lifetime, Duration.millis(elapsed * 0))",
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
    rule: "the public client",
    breaks: "let a login that had to wait for the store take the place of a later one",
    file: "src/layers/cache/Login.ts",
    from: "if (own < kept) return closed\n",
    to: "",
    test: `${cache}/publicLogin.test.ts`
  },
  {
    rule: "9 logout",
    breaks: "let a renewal begun before a logout put its session back",
    file: "src/layers/cache/State.ts",
    from: "isEarly: true },\n  epoch: state.epoch + 1\n",
    to: "isEarly: true },\n  epoch: state.epoch\n",
    test: `${cache}/logoutLate.test.ts`
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
    breaks: "let a late writer of a file pass where its number was cleaned away",
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
    breaks: "mint without reading again under the right",
    file: "src/layers/store/SessionStore.ts",
    from: "if (Option.isSome(adopted)) return yield* answerLater(adopted.value)",
    to: "",
    test: contract
  },
  {
    rule: "the store",
    breaks: "use a permission that is older than the lease",
    file: "src/layers/store/SessionStore.ts",
    from: "elapsed >= 0 && elapsed <= Duration.toMillis(LEASE_HEADROOM)",
    to: "elapsed >= 0 && elapsed <= Number.MAX_VALUE",
    test: "test/layers/store/SessionStore.test.ts",
    name: "Lease.assertHeld"
  },
  {
    rule: "the store",
    breaks: "count a permission from the store's answer",
    file: "src/layers/store/SessionStore.ts",
    from: "sinceAsked = watch\n",
    to: "sinceAsked = yield* stopwatch\n",
    test: "test/layers/store/SessionStore.test.ts",
    name: "Lease.assertHeld"
  },
  {
    rule: "the store",
    breaks: "send a request without a last look at its permission",
    file: "src/layers/cache/Mint.ts",
    from: "beforeSend: Effect.catchAll(lease.still, () =>",
    to: "beforeSend: Effect.catchAll(Effect.void as typeof lease.still, () =>",
    test: `${cache}/standstill.test.ts`
  },
  {
    rule: "the store",
    breaks: "take the last look before the secret is read",
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
    breaks: "interrupt between what Nomba answered and the write",
    file: "src/layers/store/SessionStore.ts",
    from: "Effect.flatMap(restore(obtained), (session) => commitNew(holder, session))",
    to: "restore(Effect.flatMap(obtained, (session) => commitNew(holder, session)))",
    test: "test/layers/store/SessionStore.test.ts"
  },
  {
    rule: "the store",
    breaks: "give a session more time where the write was long under way to Redis",
    file: "src/layers/store/redis/scripts.ts",
    from: "math.min(ARGV[6], since + ARGV[5])",
    to: "since + ARGV[5]",
    test: "test/layers/TokenStoreRedis/late.test.ts",
    name: "a Redis that is frozen"
  },
  {
    rule: "the store",
    breaks: "give a session more time where another Redis took the place of the one that told its time",
    file: "src/layers/store/redis/scripts.ts",
    from: "math.min(ARGV[6], since + ARGV[5])",
    to: "tonumber(ARGV[6])",
    test: "test/layers/TokenStoreRedis/late.test.ts",
    name: "whose clock is behind"
  },
  {
    rule: "the store",
    breaks: "call Nomba for a session that could not be announced",
    file: "src/layers/store/redis/scripts.ts",
    from: "redis.call('PUBLISH', ARGV[6], '')",
    to: "",
    test: "test/layers/TokenStoreRedis/acl.test.ts",
    name: "could not be announced"
  },
  {
    rule: "the store",
    breaks: "wake everybody when the lease is taken",
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
    breaks: "forget that an answer of the store is as old as its way was long",
    file: "src/layers/store/SessionStore.ts",
    from: "const age = Math.max(0, elapsed())",
    to: "const age = Math.min(0, elapsed())",
    test: "test/layers/store/SessionStore.test.ts",
    name: "under way"
  },
  {
    rule: "the store",
    breaks: "write over a newer session of another",
    file: "src/layers/store/SessionStore.ts",
    from: '? "Replaced" : "Current"',
    to: '? "Current" : "Current"',
    test: "test/layers/store/outcomeOf.test.ts"
  },
  {
    rule: "answers",
    breaks: "give up an answer that came while the process stood still",
    file: "src/layers/wait/patiently.ts",
    from: ", Effect.zipRight(lookedOnce)",
    to: "",
    test: "test/layers/wait/patiently.test.ts"
  },
  {
    rule: "answers",
    breaks: "lose the whole time to one moment in which the process stood still",
    file: "src/layers/wait/patiently.ts",
    from: "const STEPS = 10",
    to: "const STEPS = 1",
    test: "test/layers/wait/patiently.test.ts"
  },
  {
    rule: "answers",
    breaks: "wait for a real turn on another clock",
    file: "src/layers/wait/systemClock.ts",
    from: "clock === systemClock ? own(decoded)",
    to: "clock !== undefined ? own(decoded)",
    test: "test/layers/wait/patiently.test.ts"
  },
  {
    rule: "answers",
    breaks: "read a body without an end",
    file: "src/layers/http/Body.ts",
    from: "return size <= LIMIT",
    to: "return true",
    test: "test/layers/answers.test.ts"
  },
  {
    rule: "answers",
    breaks: "wait for a body without a time-out",
    file: "src/layers/http/Body.ts",
    from: "Effect.raceFirst(Effect.as(late, tooSlow)),",
    to: "",
    test: "test/layers/answers.test.ts"
  },
  {
    rule: "answers",
    breaks: "let what a body broke off with reach a log",
    file: "src/layers/http/Body.ts",
    from: "end = endOf(cause)\n        return Stream.empty",
    to: "end = endOf(cause)\n        return Stream.failCause(cause)",
    test: "test/leaks/NombaAuthHttp.test.ts",
    name: "a body that breaks off"
  },
  {
    rule: "the errors",
    breaks: "take every failed refresh for one that was processed",
    file: "src/schemas/AuthError.ts",
    from: 'return error.processed === "no"',
    to: "return false",
    test: "test/layers/refreshNotProcessed.test.ts"
  },
  {
    rule: "the errors",
    breaks: "wait for what does not heal",
    file: "src/schemas/AuthError.ts",
    from: "return detail === undefined || !refusals.has(detail)",
    to: "return true",
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
    file: "src/layers/client/Destination.ts",
    from: "url.origin === origin && url.username",
    to: "url.username",
    test: "test/layers/NombaClientHttpDestination.test.ts"
  },
  {
    rule: "the client",
    breaks: "take a 403 or a 429 for a proof of the token",
    file: "src/layers/NombaClientHttp.ts",
    from: "if (status < 500 && status !== 403 && status !== 429 && !isRejected(judged))",
    to: "if (status < 500 && !isRejected(judged))",
    test: "test/layers/NombaClientHttpRejected.test.ts"
  },
  {
    rule: "the client",
    breaks: "send a payment again after a 500",
    file: "src/layers/NombaClientHttp.ts",
    from: "(response.status < 500 || request.method",
    to: "(response.status < 600 || request.method",
    test: "test/layers/NombaClientHttpRejected.test.ts"
  },
  {
    rule: "the client",
    breaks: "leave the connection of a long 401 open",
    file: "src/layers/http/Body.ts",
    from: "let left = statedLength(response) > DISCARD_LIMIT ? 0 : DISCARD_LIMIT",
    to: "if (statedLength(response) > LIMIT) return Effect.void\n  let left = DISCARD_LIMIT",
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
  }
]
