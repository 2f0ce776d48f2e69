/**
 * What a Redis server does in one step. Times are Redis's own. Each script may be run twice with one outcome, because a
 * driver that lost an answer sends the command again.
 *
 * Keys: the entry, a hash, and the lease, a string that holds its owner; both in one slot of a cluster. The one write
 * that Redis may refuse for want of memory comes first in each script, and what others hear of it comes last.
 *
 * @since 0.1.0
 */

const functions = `
local entry, lease = KEYS[1], KEYS[2]
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function whole(number) return string.format('%.0f', number) end
local function ours(owner) return redis.call('GET', lease) == owner end
local function read()
  local held = redis.call('HMGET', entry, 'version', 'session', 'tombstone', 'marked', 'since', 'until')
  if not held[1] then return false end
  held[7] = whole(now())
  return held
end
`

/** Answers the entry, or nothing. */
export const read: string = `${functions} return read()`

/**
 * `owner`, lease time, a channel that nobody listens to. Takes the lease where it is free or the owner's; answers whether
 * it is the owner's, the time, and the entry.
 *
 * A user without the right to announce or to write an entry is refused here, before Nomba is called for a session that
 * nobody would hear of, or that could not be kept. What is announced wakes nobody, and what is written was there before.
 */
export const acquire: string = `${functions}
if ours(ARGV[1]) then redis.call('PEXPIRE', lease, ARGV[2])
else redis.call('SET', lease, ARGV[1], 'NX', 'PX', ARGV[2]) end
local held = read()
if not ours(ARGV[1]) then return { '0', whole(now()), held } end
redis.call('PUBLISH', ARGV[3], '')
redis.call('HSET', entry, 'marked', held and held[4] or '0')
if not held then redis.pcall('DEL', entry) end
return { '1', whole(now()), held }`

/** `owner`, lease time, mark: `0`, `1`, or empty for as it is. Answers the time, or nothing where it is another's. */
export const extend: string = `${functions}
if not ours(ARGV[1]) then return false end
if ARGV[3] ~= '' and redis.call('EXISTS', entry) == 1 then redis.call('HSET', entry, 'marked', ARGV[3]) end
redis.call('PEXPIRE', lease, ARGV[2])
return whole(now())`

/**
 * `owner`, basis, channel, remaining, expiry, time kept beyond it, tombstone, session (empty for none). Answers the new
 * version, or nothing; when it is run again, the version that it gave.
 *
 * The expiry is what the writer knows of Redis's time, because a command may be long under way; what remained when it was
 * sent counts where that is sooner: Redis's clock was set back, or it is another server by now.
 */
export const commit: string = `${functions}
local by = ARGV[1] .. ' ' .. ARGV[2]
local held = redis.call('HMGET', entry, 'version', 'by')
local version = held[1] or '0'
if held[2] ~= by then
  if not ours(ARGV[1]) or version ~= ARGV[2] then return false end
  local since = now()
  version = whole(math.max(tonumber(version) + 1, since))
  redis.call('HSET', entry, 'version', version, 'session', ARGV[8], 'tombstone', ARGV[7], 'marked', '0',
    'since', whole(since), 'until', whole(math.min(ARGV[5], since + ARGV[4])), 'by', by)
  redis.call('PEXPIRE', entry, whole(ARGV[4] + ARGV[6]))
end
redis.call('PUBLISH', ARGV[3], version)
return version`

/** `owner`, channel. Frees the lease where it is the owner's. */
export const release: string = `${functions}
if not ours(ARGV[1]) then return 0 end
redis.call('DEL', lease)
redis.call('PUBLISH', ARGV[2], redis.call('HGET', entry, 'version') or '0')
return 1`

/** Answers the version, 0 where there is nothing. */
export const version: string = "return redis.call('HGET', KEYS[1], 'version') or '0'"
