/**
 * What a Redis server does in one step. Times are Redis's own. Each script may run twice with one outcome, because a client
 * that lost an answer sends the command again.
 *
 * Keys, all in one slot of a cluster: the entry, a hash; the lease, a string that holds its owner; the shared failure, a
 * string. Steps that Redis may refuse for want of memory come first if they must not be half done, and the announcement
 * comes last.
 *
 * A lease without an end, or with one too far away, counts as over: it is damage, or Redis's clock was set back. It would
 * block every renewal.
 */
import * as Duration from "effect/Duration"
import { MAX_LEASE_TIME } from "../StoreDriver.js"

const functions = `
local entry, lease, failure = KEYS[1], KEYS[2], KEYS[3]
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function whole(number) return string.format('%.0f', number) end
local function isLeased()
  local left = redis.call('PTTL', lease)
  return left >= 0 and left <= ${Duration.toMillis(MAX_LEASE_TIME)}
end
local function isOwner(owner) return redis.call('GET', lease) == owner end
local function reading(held)
  local stored = redis.call('HMGET', entry, 'version', 'text', 'flag', 'since', 'until')
  return { held, whole(now()), isLeased() and '1' or '0', redis.call('GET', failure), stored }
end
`

/** Answers whether the caller holds the lease (no), the time, whether anyone does, the failure, and the entry. */
export const read: string = `${functions} return reading('0')`

/**
 * Owner, lease time, its store, the attempt below which that store's leases are abandoned, the time after which the caller
 * has given up (empty: never), a channel without listeners. Answers like `read`.
 *
 * A user without the right to announce or to write an entry is refused here, before a token request whose session could
 * not be stored or announced. The announcement wakes no process, and what is written was there before.
 */
export const acquire: string = `${functions}
local holder = redis.call('GET', lease)
local function isAbandoned()
  local store, attempt = string.match(holder, '^(.*):(%d+)$')
  return store == ARGV[3] and tonumber(attempt) < tonumber(ARGV[4])
end
if holder == ARGV[1] then redis.call('PEXPIRE', lease, ARGV[2])
elseif (ARGV[5] == '' or now() <= tonumber(ARGV[5])) and (not isLeased() or isAbandoned()) then
  redis.call('SET', lease, ARGV[1], 'PX', ARGV[2])
end
if not isOwner(ARGV[1]) then return reading('0') end
redis.call('PUBLISH', ARGV[6], '')
local exists = redis.call('EXISTS', entry) == 1
redis.call('HSET', entry, 'flag', redis.call('HMGET', entry, 'flag')[1] or '')
if not exists then redis.pcall('DEL', entry) end
return reading('1')`

/**
 * Owner, lease time, and what becomes of the refresh-in-flight flag: `set`, `clear`, or empty for nothing. Answers 0 if
 * another owner holds the lease.
 */
export const extend: string = `${functions}
if not isOwner(ARGV[1]) then return 0 end
if ARGV[3] ~= '' and redis.call('EXISTS', entry) == 1 then
  redis.call('HSET', entry, 'flag', ARGV[3] == 'set' and ARGV[1] or '')
end
redis.call('PEXPIRE', lease, ARGV[2])
return 1`

/**
 * Owner, expected version, version, text, what remains, when it expires, retention, channel. Answers whether it is
 * written, also when it runs again.
 *
 * The session expires at the time that its writer knows of Redis, because a command may be long under way. What remained
 * when it was sent counts if that is sooner: Redis's clock was set back, or it is another server by now.
 */
export const commit: string = `${functions}
local stored = redis.call('HMGET', entry, 'version', 'by')
if stored[1] ~= ARGV[3] or stored[2] ~= ARGV[1] then
  if not isOwner(ARGV[1]) or (stored[1] or '0') ~= ARGV[2] then return 0 end
  if tonumber(ARGV[3]) <= tonumber(ARGV[2]) then return 0 end
  local since = now()
  local expiry = math.min(ARGV[6], since + ARGV[5])
  redis.call('HSET', entry, 'version', ARGV[3], 'text', ARGV[4], 'flag', '', 'since', whole(since),
    'until', whole(expiry), 'by', ARGV[1])
  redis.call('PEXPIRE', entry, whole(ARGV[5] + ARGV[7]))
  redis.pcall('DEL', failure)
end
redis.call('PUBLISH', ARGV[8], ARGV[3])
return 1`

/**
 * Owner, channel, whether to clear the refresh-in-flight flag, failure (empty for none), its wait, how long it is kept after
 * that. Frees the owner's lease; without memory that is all.
 */
export const release: string = `${functions}
if not isOwner(ARGV[1]) then return 0 end
redis.call('DEL', lease)
if ARGV[3] == '1' and redis.call('EXISTS', entry) == 1 then redis.pcall('HSET', entry, 'flag', '') end
if ARGV[4] ~= '' then
  local since = now()
  local value = table.concat({ ARGV[4], whole(since), whole(since + ARGV[5]) }, ' ')
  redis.pcall('SET', failure, value, 'PX', whole(ARGV[5] + ARGV[6]))
end
redis.call('PUBLISH', ARGV[2], redis.call('HGET', entry, 'version') or '0')
return 1`

/**
 * Version, text, retention, channel. Moves an entry that no program can read to the fourth key, unless it was replaced
 * meanwhile.
 */
export const setAside: string = `
local stored = redis.call('HMGET', KEYS[1], 'version', 'text')
if (stored[1] or '') ~= ARGV[1] or (stored[2] or '') ~= ARGV[2] then return 0 end
redis.pcall('HSET', KEYS[4], 'version', ARGV[1], 'text', ARGV[2])
redis.pcall('PEXPIRE', KEYS[4], ARGV[3])
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[4], '0')
return 1`

/** Answers the version, 0 if there is no entry. */
export const version: string = "return redis.call('HGET', KEYS[1], 'version') or '0'"
