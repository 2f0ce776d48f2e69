/*
 * How a fleet renews one session: a model of the protocol for the checker Spin.
 *
 * Each atomic step is one command to the store, one request to Nomba, or one decision. Between two steps anything can
 * happen: another process runs, a message is lost or late, a process crashes or stalls, the store goes back.
 * docs/protocol.md explains the model, its assumptions, and what each invariant promises.
 *
 * Time is abstract. A lease can end at any step, as if its holder stalled there. One order is assumed, because a lease lasts
 * longer than the age of a permission and a request together: a process sends only while its lease stands, so that its
 * permission ends with the lease. A request that was sent before is not held back by anything.
 *
 * runs.ts defines the bounds of each run: PROCESSES, FLIGHTS (operations that process 0 can run side by side), SESSIONS (how
 * many Nomba grants), ROLLBACKS, CRASHES and LOGOUTS (how often), LOSSES (0 or 1: messages can be lost), FAILURES (0 or 1:
 * Nomba can state that it fails), CALM (1: everything that fails can stop). FAULT_X breaks one rule.
 */

/* Renewals that a process may need once nothing fails any more: requests that are still in the air can undo some. */
#define TRIES 4

/* An actor runs one operation at a time. The first FLIGHTS actors share the memory of process 0. */
#define ACTORS (PROCESSES + FLIGHTS - 1)
#define PROCESS(a) ((a) < FLIGHTS -> 0 : (a) - FLIGHTS + 1)
#define LEADS(a) ((a) == 0 || (a) >= FLIGHTS)

/* The invariants. Each is set and asserted where it could break, so that the checker reports it by its name. */
bit ONE_REQUEST_AT_A_TIME = 1;
bit NO_SPENT_REFRESH_TOKEN_SENT = 1;
bit TOMBSTONE_STANDS = 1;
bit LIVE_SESSION_KEPT = 1;
bit NO_LEASE_FOR_NOBODY = 1;
bit FLAG_MEANS_SENT = 1;
bit FAILURE_LEFT_BY_HOLDER = 1;
bit FAILURE_NEVER_BLOCKS_ADOPTION = 1;
bit SOMEBODY_CAN_RENEW = 1;
#define holds(invariant, condition) invariant = (condition); assert(invariant)

/* ---------------------------------------------------------------- Nomba */

/* Sessions are numbered in the order in which Nomba grants them; 0 is none. A refresh token belongs to its session. */
byte granted;               /* the last session that was granted */
byte live;                  /* the one session that Nomba accepts */
unsigned spent : 16;        /* one bit a session: its refresh token was used */
#define SPENT(s) ((spent >> (s)) & 1)

#define ISSUE 1
#define REFRESH 2
#define REVOKE 3
#define REFUSED 255
#define REVOKED 254

/* The request of each actor. One slot: a request that is still in the air when the next is sent counts as lost. */
byte air[ACTORS];           /* what is on its way, 0 for nothing */
byte airSession[ACTORS];
bit waits[ACTORS];          /* the sender still waits for the answer */
bit late[ACTORS];           /* its lease ended after it sent */
byte answer[ACTORS];

/* ---------------------------------------------------------------- the store */

typedef Entry {
  byte version;
  byte session;
  bit tombstone;
  bit refreshing            /* the refresh token may be spent */
}
Entry store;
Entry replica;              /* what the store goes back to */
byte top;                   /* the highest version so far: versions follow the store's clock */

byte lease;                 /* the actor that holds it + 1; 0 is free */
bit abandoned;              /* it belongs to an attempt that its caller has given up */
bit failure;                /* the failure marker, while its time runs */
byte lateAcquire;           /* an acquire still in the air, whose caller gave up: the actor + 1 */
bit clockMoved;             /* its not-after has not passed, because the store's clock went back */

/* ---------------------------------------------------------------- the memory of a process */

byte held[PROCESSES];       /* its session */
byte heldVersion[PROCESSES];
bit unsaved[PROCESSES];     /* Nomba granted it, the store does not have it; heldVersion is the version it was read over */
bit rejected[PROCESSES];    /* Nomba answered 401 to it */
byte seen[PROCESSES];       /* the highest version it has seen in the store */
byte tombstoneSeen[PROCESSES];  /* the highest version at which it has seen a tombstone */
byte sentOver[PROCESSES];   /* the highest version over which it sent a request that may have been processed */
byte flight[PROCESSES];     /* the actor whose renewal callers join + 1 */
#if FLIGHTS > 1
byte newest[PROCESSES];     /* the actor that sent the newest request + 1 */
#endif
bit down[ACTORS];           /* it crashed and starts again */

byte ended[PROCESSES];      /* the last session it knows to be ended by a logout */
byte known[PROCESSES];      /* the last session it has had or seen, by Nomba's time */

byte operation[ACTORS];     /* what it does now */
bit permitted[ACTORS];      /* the store has confirmed the lease for the next request */
bit leaseLost[ACTORS];      /* the store forgot its lease when it went back */

byte rollbacks;
byte crashes;
byte logouts;
bit begun;
bit calm;                   /* nothing fails any more */
byte tries[PROCESSES];

/* A command, a request or an answer is lost, or its time-out falls due. */
#define LOST (!calm && LOSSES)

#define RENEWAL 1
#define LOGOUT 2

#define DEAD(a) (operation[a] == RENEWAL && flight[PROCESS(a)] != (a) + 1)

#ifdef FAULT_OWNER_BY_PROCESS
#define OWNS(a) (lease != 0 && PROCESS(lease - 1) == PROCESS(a))
#define CAN_ACQUIRE(a) (lease == 0 || OWNS(a))
#else
#define OWNS(a) (lease == (a) + 1 && !abandoned)
/* A later attempt of the same store takes over a lease whose attempt was given up or whose flight is dead. */
#define CAN_ACQUIRE(a) (lease == 0 || (PROCESS(lease - 1) == PROCESS(a) && (abandoned || DEAD(lease - 1))))
#endif

#define UNSAVED(p) (held[p] != 0 && unsaved[p] && !rejected[p])

#ifdef FAULT_ADOPT_REJECTED
#define IS_NEWS(p, v) true
#else
#define IS_NEWS(p, v) ((v) > heldVersion[p] && (v) >= seen[p])
#endif

/*
 * Nomba granted the session before the one that the process holds and that was not rejected. A stalled process can
 * write one like that after the store went back.
 */
#ifdef FAULT_ADOPT_EARLIER
#define IS_EARLIER(p, s) false
#else
#define IS_EARLIER(p, s) (held[p] != 0 && !rejected[p] && (s) < held[p])
#endif

#ifdef FAULT_ADOPT_ENDED
#define WAS_ENDED(p, s) false
#else
#define WAS_ENDED(p, s) ((s) <= ended[p])
#endif

/* A session with a refresh in flight is adopted only while nobody holds the lease: its access token may still live. */
#define ADOPTABLE(p) (store.session != 0 && !store.tombstone && (!store.refreshing || lease == 0) \
  && IS_NEWS(p, store.version) && !IS_EARLIER(p, store.session) && !WAS_ENDED(p, store.session))

/* Whether reading the store changes anything for the process. */
#define STORE_IS_NEWS(p) (store.version > seen[p] || ADOPTABLE(p))

#define copy(from, to) \
  to.version = from.version; \
  to.session = from.session; \
  to.tombstone = from.tombstone; \
  to.refreshing = from.refreshing

/* Before a write: the replica catches up, or stays further behind. */
inline replicate() {
  if
  :: rollbacks < ROLLBACKS -> d_step { copy(store, replica) }
  :: true
  fi
}

/* A tombstone ended what the process holds, whether that was saved or not. */
inline forget(p) {
  if
  :: held[p] > ended[p] -> ended[p] = held[p]
  :: else
  fi;
  held[p] = 0;
  heldVersion[p] = 0;
  unsaved[p] = 0;
  rejected[p] = 0
}

/*
 * What a process knows about refresh tokens beside the flag. The flag is enough while the store does not go back, so
 * that these two are left out then.
 */
#if ROLLBACKS > 0
#define know(p, s) known[p] = ((s) > known[p] -> (s) : known[p])
#define noteSent(p, v) sentOver[p] = (v)
#else
#define know(p, s) skip
#define noteSent(p, v) skip
#endif

#ifdef FAULT_TOMBSTONE_OVERLOOKED
#define IS_NOT_OVERLOOKED && !unsaved[p]
#else
#define IS_NOT_OVERLOOKED
#endif

/* The process reads the store. */
inline see(p) {
  d_step {
    if
    :: store.version > seen[p] -> seen[p] = store.version
    :: else
    fi;
    if
    :: store.tombstone && store.version > tombstoneSeen[p] ->
      tombstoneSeen[p] = store.version;
      ended[p] = (held[p] > ended[p] && store.version > heldVersion[p] -> held[p] : ended[p]);
      if
      :: store.version > heldVersion[p] IS_NOT_OVERLOOKED -> forget(p)
      :: else
      fi
    :: else
    fi;
    know(p, store.session)
  }
}

/* The process puts `s` in the place of the session it holds. */
#define hold(p, s, v, isUnsaved) \
  holds(LIVE_SESSION_KEPT, held[p] == 0 || held[p] == (s) || held[p] != live); \
  held[p] = s; \
  heldVersion[p] = v; \
  unsaved[p] = isUnsaved; \
  rejected[p] = 0

inline adopt(p) {
  holds(TOMBSTONE_STANDS, store.session > ended[p]);
  hold(p, store.session, store.version, 0)
}

/* An announcement, a heartbeat or the first `get`: the process reads the store. */
inline look(p) {
  see(p);
  if
  :: ADOPTABLE(p) -> adopt(p)
  :: else
  fi
}

#define SAW_TOMBSTONE_LAST(p) (tombstoneSeen[p] != 0 && tombstoneSeen[p] == seen[p])

#ifdef FAULT_ROLLBACK_IGNORED
#define WENT_BACK(p, v) false
#else
#define WENT_BACK(p, v) ((v) < seen[p])
#endif

/* Only the session that the store held last is written back: an older one may be spent. */
#define IS_LATEST(p) (heldVersion[p] == seen[p])

/*
 * The flag says that the refresh token may be spent. A store that went back may have lost it, so that a process refreshes
 * no session over which it has sent a request itself, and none that Nomba granted before one that it has had or seen.
 */
#if defined(FAULT_FLAG_IGNORED)
#define MAY_BE_SPENT(p) false
#elif defined(FAULT_FORGETS_WHAT_IT_SENT)
#define MAY_BE_SPENT(p) (refreshing || session < known[p])
#elif defined(FAULT_ROLLBACK_IGNORED)
#define MAY_BE_SPENT(p) (refreshing || sentOver[p] >= version)
#else
#define MAY_BE_SPENT(p) (refreshing || sentOver[p] >= version || session < known[p])
#endif

/* The process of the actor `a`. */
#define P PROCESS(a)

/* A dead flight whose process has sent something newer. */
#if FLIGHTS > 1
#define IS_NEWEST(a) (newest[PROCESS(a)] == (a) + 1)
#else
#define IS_NEWEST(a) true
#endif
#define OVERTAKEN(a) (DEAD(a) && !IS_NEWEST(a))

/* Where all actors are alike, the first operation is actor 0's: the other runs are the same with other names. */
#if FLIGHTS == 1 || PROCESSES == 1
#define MAY_BEGIN(a) (begun || a == 0)
#else
#define MAY_BEGIN(a) true
#endif

/* Whether no other request is under way for which its sender's lease still stands. */
#define NO_REQUEST(a, b) ((b) == (a) || !waits[b] || late[b] || leaseLost[b])
#if ACTORS > 2
#define ALONE(a) (leaseLost[a] || (NO_REQUEST(a, 0) && NO_REQUEST(a, 1) && NO_REQUEST(a, 2)))
#else
#define ALONE(a) (leaseLost[a] || (NO_REQUEST(a, 0) && NO_REQUEST(a, 1)))
#endif

/* The operation is over. */
inline leave() {
  d_step {
    operation[a] = 0;
    permitted[a] = 0;
    leaseLost[a] = 0;
    version = 0;
    session = 0;
    request = 0;
    result = 0;
    tombstone = 0;
    refreshing = 0;
    marked = 0;
    stated = 0
  }
}

/*
 * One operation after another. An actor pauses before an operation, before it sends a request, and while it waits for the
 * answer; in a calm also while it waits for the lease. Between two pauses lie the commands to the store and the decisions
 * that follow from their answers. A command that is lost stands for a crash or a stall at that place too.
 */
proctype Actor(byte a) {
  byte version;             /* what the acquire read */
  byte session;
  byte request;

  /* Not kept over a pause. */
  bit tombstone;
  bit refreshing;
  bit marked;               /* it asked the store to set the flag */
  bit stated;               /* Nomba itself said that it fails */
  byte result;              /* the session to write, 0 for a tombstone */

idle:
  atomic {
    if
    :: !calm && STORE_IS_NEWS(P) -> look(P); goto idle
    :: !calm && logouts < LOGOUTS && MAY_BEGIN(a) -> begun = 1; logouts++; operation[a] = LOGOUT
    /* Either nobody in this process renews, or who does has outlived its limit and counts as dead. */
    :: !calm && flight[P] != a + 1 && MAY_BEGIN(a) -> begun = 1; operation[a] = RENEWAL; flight[P] = a + 1
    :: !calm && flight[P] != a + 1 && held[P] != 0 && held[P] != live ->
      rejected[P] = 1;
      operation[a] = RENEWAL;
      flight[P] = a + 1
    :: calm && (!LEADS(a) || (held[P] != 0 && held[P] == live)) -> goto finished
    :: calm && LEADS(a) && !(held[P] != 0 && held[P] == live) && flight[P] == 0 ->
      rejected[P] = (held[P] != 0);
      tries[P]++;
      holds(SOMEBODY_CAN_RENEW, tries[P] <= TRIES);
      operation[a] = RENEWAL;
      flight[P] = a + 1
    fi;

    /*
     * The acquire. While another holds the lease it waits, until the lease is free or there is something to adopt. Before
     * the calm it gives up at once instead, and may come back at any time: a waiter keeps nothing over its wait.
     */
    if
    :: !calm ->
#ifdef FAULT_LATE_ACQUIRE
      lateAcquire = a + 1;
#endif
#ifdef FAULT_WAITER_WITHOUT_LEASE
      if
      :: !CAN_ACQUIRE(a) -> version = store.version; request = ISSUE; permitted[a] = 1; goto send
      :: true
      fi;
#endif
      goto release
    :: operation[a] == RENEWAL && ADOPTABLE(P) -> see(P); adopt(P); goto release
#ifdef FAULT_FAILURE_BLOCKS_ADOPTION
    :: operation[a] == RENEWAL && failure ->
      holds(FAILURE_NEVER_BLOCKS_ADOPTION, !ADOPTABLE(P));
      goto release
#endif
    :: !calm && operation[a] == RENEWAL && failure && !ADOPTABLE(P) && !UNSAVED(P) -> see(P); goto release
    :: CAN_ACQUIRE(a) && (operation[a] == LOGOUT || (!ADOPTABLE(P) && (!failure || UNSAVED(P)))) ->
      if
      :: lease != 0 && lease != a + 1 && waits[lease - 1] -> late[lease - 1] = 1
      :: else
      fi;
      lease = a + 1;
      abandoned = 0;
      permitted[a] = 1;
      leaseLost[a] = 0;
      if
      :: LOST -> goto release
      :: true -> see(P)
      fi;
      version = store.version;
      session = store.session;
      tombstone = store.tombstone;
      refreshing = store.refreshing
    fi;

decide:
    if
    :: operation[a] == LOGOUT ->
      if
      :: UNSAVED(P) -> session = held[P]
      :: else
      fi;
      result = 0;
      if
      :: session == 0 -> goto commit
      :: else -> request = REVOKE; goto send
      fi

    /* A session that Nomba granted and the store did not take. */
    :: operation[a] == RENEWAL && UNSAVED(P) ->
      if
      :: session >= held[P] && !tombstone && version != heldVersion[P] ->
        adopt(P);
        goto release
      :: else -> result = held[P]; goto commit
      fi

    :: operation[a] == RENEWAL && !UNSAVED(P) ->
      if
      /* The store went back: this process knows better. */
      :: WENT_BACK(P, version) && SAW_TOMBSTONE_LAST(P) ->
#ifdef FAULT_ROLLBACK_ENDS_TOMBSTONE
        if
        :: session != 0 && !tombstone -> adopt(P); goto release
        :: else
        fi;
#endif
        result = 0; goto commit
      :: WENT_BACK(P, version) && !SAW_TOMBSTONE_LAST(P) && held[P] != 0 && !rejected[P] && IS_LATEST(P) ->
        result = held[P]; goto commit
      :: !WENT_BACK(P, version) && session != 0 && !tombstone && IS_EARLIER(P, session) ->
        result = held[P]; goto commit
      :: else ->
#ifdef FAULT_FLAG_BLOCKS
        if
        :: refreshing -> goto release
        :: else
        fi;
#endif
        if
        :: session == 0 || tombstone || WENT_BACK(P, version) || MAY_BE_SPENT(P) -> request = ISSUE
        :: else -> request = REFRESH
        fi;
        tombstone = 0;
        refreshing = 0;
        goto send
      fi
    fi
  }

/* Since it decided to refresh, a dead flight of the same process has brought a later session. */
#ifdef FAULT_ROLLBACK_IGNORED
#define KNOWS_BETTER(p) false
#else
#define KNOWS_BETTER(p) (request == REFRESH && session < known[p])
#endif

#ifdef FAULT_NO_FLAG
#define MUST_ASK(a) (!permitted[a])
#else
#define MUST_ASK(a) (request != REFRESH && !permitted[a])
#endif

send:
  skip;                   /* the pause in which it can stall */
  /* Sets the flag, or asks whether the lease is still its own if it was not just confirmed. Then it sends. */
  atomic {
    if
    :: down[a] -> goto crashed
    :: !down[a] && (calm || request == REVOKE || granted < SESSIONS || (request == REFRESH && session != live))
    fi;
    if
#ifndef FAULT_DEAD_FLIGHT_SENDS
    :: DEAD(a) -> goto release
#endif
    :: KNOWS_BETTER(P) -> goto release
#ifndef FAULT_NO_FLAG
    :: !DEAD(a) && !KNOWS_BETTER(P) && request == REFRESH ->
      marked = 1;
      if
      :: LOST -> goto release
      :: OWNS(a) && store.version == version ->
        replicate();
        store.refreshing = 1;
        if
        :: LOST -> goto release
        :: true
        fi
      :: !(OWNS(a) && store.version == version) -> goto release
      fi
#endif
#ifndef FAULT_SEND_AFTER_STALL
    :: !DEAD(a) && MUST_ASK(a) ->
      if
      :: LOST -> goto release
      :: OWNS(a)
      :: !OWNS(a) -> goto release
      fi
#endif
    :: else
    fi;
    holds(ONE_REQUEST_AT_A_TIME, (OWNS(a) || leaseLost[a]) && ALONE(a));
    if
    :: request == REFRESH ->
      holds(NO_SPENT_REFRESH_TOKEN_SENT,
        !SPENT(session) || (rollbacks > 0 && session >= known[P] && version > sentOver[P]))
    :: else
    fi;
    if
    :: request != REVOKE -> noteSent(P, version)
    :: else
    fi;
    marked = 0;
    permitted[a] = 0;
    air[a] = request;
    airSession[a] = (request == ISSUE -> 0 : session);
    answer[a] = 0;
    waits[a] = 1;
    late[a] = 0;
#if FLIGHTS > 1
    newest[P] = a + 1
#endif
  }

  atomic {
    if
    :: down[a] -> goto crashed
    :: !down[a] && answer[a] != 0 ->
      result = answer[a];
      answer[a] = 0;
      waits[a] = 0;
      late[a] = 0;
      if
      :: request == REVOKE -> result = 0; goto commit
      :: request != REVOKE && result == REFUSED -> result = 0; request = ISSUE; goto send
      :: else
      fi
    /* The time-out, or an answer that cannot be used: the request may have been processed, or still may be. */
    :: !down[a] && LOST ->
      answer[a] = 0;
      waits[a] = 0;
      late[a] = 0;
      if
      :: true
      :: air[a] != 0 -> air[a] = 0; airSession[a] = 0
      fi;
      if
      :: request == REVOKE -> result = 0; goto commit
      :: request == REFRESH ->
        if
        :: goto release   /* it still has a live access token */
#ifdef FAULT_REFRESH_RETRIED
        :: goto send
#endif
        :: request = ISSUE; goto send
        fi
      :: request == ISSUE -> goto release
      fi
    /* It certainly was not processed. */
    :: !down[a] && LOST && air[a] != 0 ->
      air[a] = 0;
      airSession[a] = 0;
      waits[a] = 0;
      late[a] = 0;
      if
      :: request == REFRESH ->
        marked = 1;
        if
        :: IS_NEWEST(a) -> noteSent(P, version - 1)
        :: else
        fi
      :: else
      fi;
      goto release
    /* Nomba states that it fails. */
    :: !down[a] && !calm && FAILURES && request != REVOKE ->
      air[a] = 0;
      airSession[a] = 0;
      answer[a] = 0;
      waits[a] = 0;
      late[a] = 0;
      stated = 1;
      goto release
    fi;

    /* Nomba granted a session. */
    know(P, result);
    if
#ifndef FAULT_DEAD_FLIGHT_UNFENCED
    :: OVERTAKEN(a) || IS_EARLIER(P, result) -> goto release
#endif
#ifndef FAULT_KEEP_AFTER_LOGOUT
    :: tombstoneSeen[P] > version -> goto release
#endif
    :: else ->
      holds(TOMBSTONE_STANDS, tombstoneSeen[P] <= version);
      hold(P, result, version, 1)
    fi;

commit:
    if
    :: LOST -> goto unwritten
#ifdef FAULT_COMMIT_UNCHECKED
    :: true ->
#else
    :: OWNS(a) && store.version == version && !OVERTAKEN(a) ->
#endif
      holds(TOMBSTONE_STANDS, result == 0 || (result > ended[P] && (!store.tombstone || version == store.version)));
      holds(LIVE_SESSION_KEPT, result == 0 || result == live || store.session == 0 || store.session != live);
      replicate();
#ifdef FAULT_VERSION_WITHOUT_CLOCK
      store.version = (seen[P] > version -> seen[P] : version) + 1;
#else
      store.version = top + 1;
#endif
      top = (store.version > top -> store.version : top);
      store.session = result;
      store.tombstone = (result == 0);
      store.refreshing = 0;
      failure = 0;
      if
      :: LOST -> goto unwritten
      :: true -> see(P)
      fi;
      if
      :: result == 0 ->
        if
        :: session > ended[P] -> ended[P] = session
        :: else
        fi;
        forget(P)
      :: result != 0 && held[P] == result -> heldVersion[P] = store.version; unsaved[P] = 0
      :: else
      fi;
      if
      :: result == 0 && operation[a] == RENEWAL ->
        version = store.version;
        session = 0;
        tombstone = 1;
        refreshing = 0;
        goto decide
      :: else -> goto release
      fi
#ifndef FAULT_COMMIT_UNCHECKED
    :: else -> goto unwritten
#endif
    fi;

unwritten:
#ifdef FAULT_UNSAVED_DROPPED
    if
    :: UNSAVED(P) -> hold(P, 0, 0, 0)
    :: else
    fi;
#endif

release:
    if
    :: LOST              /* lost */
    :: true ->
      if
#ifdef FAULT_FAILURE_UNOWNED
      :: stated ->
        holds(FAILURE_LEFT_BY_HOLDER, OWNS(a));
        failure = 1
#endif
      :: OWNS(a) ->
#ifdef FAULT_FLAG_TAKEN_BACK
        if
        :: request == REFRESH && store.version == version -> store.refreshing = 0
        :: else
        fi;
#endif
#ifndef FAULT_FLAG_LEFT
        /* The same step takes the flag back if nothing was sent. */
        if
        :: marked && store.version == version -> store.refreshing = 0
        :: else
        fi;
#endif
        holds(FLAG_MEANS_SENT, !(marked && store.version == version && store.refreshing));
        if
        :: stated -> failure = 1
        :: else
        fi;
        lease = 0
      :: else
      fi;
#ifdef FAULT_RELEASE_UNCHECKED
      lease = 0
#endif
    fi;
    if
    :: lease == a + 1 -> abandoned = 1
    :: else
    fi;
    if
    :: flight[P] == a + 1 -> flight[P] = 0
    :: else
    fi;

crashed:
    down[a] = 0;
    leave();
    goto idle
  }

finished:
  skip
}

/* What one actor has put on its way: it arrives at any time, whether or not its sender still waits. */
proctype Network(byte a) {
  byte reply;
end:
  do
  :: atomic {
      air[a] != 0;
      if
      :: air[a] == ISSUE -> granted++; live = granted; reply = live
      :: air[a] == REFRESH && SPENT(airSession[a]) -> live = 0; reply = REFUSED     /* reuse ends the session */
      :: air[a] == REFRESH && !SPENT(airSession[a]) && airSession[a] == live ->
        spent = spent | (1 << live);
        granted++;
        live = granted;
        reply = live
      :: air[a] == REFRESH && !SPENT(airSession[a]) && airSession[a] != live -> reply = REFUSED
      :: air[a] == REVOKE ->
        if
        :: live == airSession[a] -> live = 0
        :: else
        fi;
        reply = REVOKED
      fi;
      air[a] = 0;
      airSession[a] = 0;
      if
      :: waits[a] -> answer[a] = reply
      :: else
      fi;
      reply = 0
    }
  od
}

/* Time, and everything that fails. */
proctype World() {
  byte i;
  byte q;
end:
  do
  /* A lease ends. While its holder runs it is extended, so this is a crash, a stall, or a lost connection to the store. */
#ifndef FAULT_LEASE_NEVER_ENDS
  :: atomic {
      lease != 0 && (!calm || abandoned);
      if
      :: !abandoned ->
        permitted[lease - 1] = 0;
        late[lease - 1] = waits[lease - 1]
      :: else
      fi;
      lease = 0;
      abandoned = 0
    }
#endif
  :: atomic { failure -> failure = 0 }
  :: atomic {
      !calm && crashes < CRASHES;
      crashes++;
      if
      :: q = 0
      :: q = PROCESSES - 1
#if PROCESSES > 2
      :: q = 1
#endif
      fi;
      i = 0;
      do
      :: i < ACTORS && PROCESS(i) == q ->
        down[i] = (operation[i] != 0);
        late[i] = 0;
        waits[i] = 0;
        answer[i] = 0;
        operation[i] = 0;
        permitted[i] = 0;
        leaseLost[i] = 0;
        if
        :: lease == i + 1 -> abandoned = 1
        :: else
        fi;
        i++
      :: i < ACTORS && PROCESS(i) != q -> i++
      :: else -> break
      od;
      held[q] = 0;
      heldVersion[q] = 0;
      unsaved[q] = 0;
      rejected[q] = 0;
      seen[q] = 0;
      tombstoneSeen[q] = 0;
      sentOver[q] = 0;
      flight[q] = 0;
#if FLIGHTS > 1
      newest[q] = 0;
#endif
      known[q] = 0;
      ended[q] = 0;
      i = 0;
      q = 0
    }
  /* The store goes back to an earlier content, or comes back empty. It may forget the lease, and its clock may move. */
  :: atomic {
      !calm && rollbacks < ROLLBACKS && store.version != 0;
      rollbacks++;
      copy(replica, store);
      replica.version = 0;
      replica.session = 0;
      replica.tombstone = 0;
      replica.refreshing = 0;
      failure = 0;
      if
      :: lease != 0 ->
        leaseLost[lease - 1] = !abandoned;
        lease = 0;
        abandoned = 0
      :: true
      fi;
      if
      :: lateAcquire = 1
      :: lateAcquire = 2
#if ACTORS > 2
      :: lateAcquire = 3
#endif
      :: lateAcquire = 0
      fi;
      clockMoved = (lateAcquire != 0)
    }
  /* The store refuses an acquire whose caller gave up: its not-after has passed. */
  :: atomic {
      lateAcquire != 0;
      if
      :: lease == 0 ->
        lease = lateAcquire;
        abandoned = 1;
        holds(NO_LEASE_FOR_NOBODY, clockMoved)
      :: else
      fi;
      lateAcquire = 0;
      clockMoved = 0
    }
#ifdef CALM
  :: atomic { !calm -> calm = 1 }
#endif
  od
}

init {
  atomic {
    byte n = 0;
    do
    :: n < ACTORS -> run Actor(n); run Network(n); n++
    :: else -> break
    od;
    run World()
  }
}
