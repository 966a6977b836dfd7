-- The queue of a bucket, on this server's clock: what `_queue.py` says, in Redis's language.
-- KEYS[1] is the bucket. ARGV: what to do ("ask", "hold", "look"), the format, then what that
-- takes. Every time is in milliseconds. The answer is JSON.

local EARLY, LATE, GRACE, LOOK = 1.5, 2, 10, 5
local KNOWN, LIMIT = 60000, 24 * 3600000
local FORGET = 7 * 24 * 3600000

local clock = redis.call('TIME')
-- As exact as it is kept: JSON here has fourteen digits.
local now = clock[1] * 1000 + math.floor(clock[2] / 100) / 10
local action, format = ARGV[1], tonumber(ARGV[2])

local stored = redis.call('GET', KEYS[1])
local readable, bucket = pcall(cjson.decode, stored or 'null')
if stored and (not readable or type(bucket) ~= 'table' or bucket.format ~= format) then
  local found = readable and type(bucket) == 'table' and bucket.format
  return cjson.encode({ format = found or cjson.null })
end
bucket = stored and bucket

local function arrive()
  if bucket.at_ms > now then
    local gone = bucket.at_ms - now
    bucket.free_ms = bucket.free_ms - gone
    bucket.limit_until_ms = bucket.limit_until_ms - gone
    for _, line in ipairs({ bucket.queue, bucket.bulk }) do
      for _, ticket in ipairs(line) do
        ticket.due_ms = ticket.due_ms - gone
      end
    end
    for _, seen in pairs(bucket.programs) do
      seen.at_ms = seen.at_ms - gone
    end
  end
  bucket.at_ms = now
  if bucket.limit_until_ms <= now then
    bucket.limit = 0
  end
  for program, seen in pairs(bucket.programs) do
    if seen.at_ms < now - KNOWN then
      bucket.programs[program] = nil
    end
  end
end

local function answer(reply)
  redis.call('SET', KEYS[1], cjson.encode(bucket), 'PX', FORGET)
  reply.now_ms = now
  return cjson.encode(reply)
end

if action == 'look' then
  return cjson.encode({ now_ms = now, bucket = bucket or cjson.null })
end

local asked = cjson.decode(ARGV[3])
if not bucket then
  bucket = {
    format = format, at_ms = now, limit = 0,
    free_ms = now + asked.spacing_ms + EARLY * (asked.lead_ms or 0),
    limit_until_ms = 0, queue = {}, bulk = {}, programs = {},
  }
end
arrive()

if action == 'hold' then
  bucket.free_ms = math.max(bucket.free_ms, now + asked.pause_ms)
  if asked.limit > 0 and (bucket.limit == 0 or asked.limit <= bucket.limit) then
    bucket.limit = asked.limit
    bucket.limit_until_ms = now + LIMIT
  end
  return answer({})
end

for program, seen in pairs(bucket.programs) do
  if program ~= asked.program and seen.reserved ~= asked.reserved then
    return answer({
      granted = false, wait_ms = 0, next_ms = 0, others = 0, limit = bucket.limit,
      stranger = seen.name,
    })
  end
end
bucket.programs[asked.program] = { name = asked.name, at_ms = now, reserved = asked.reserved }

local function is_own(ticket)
  return ticket.program == asked.program and ticket.bulk == asked.bulk
end

local function awaited(line)
  local kept = {}
  for _, ticket in ipairs(line) do
    if is_own(ticket) or ticket.due_ms + GRACE >= now then
      kept[#kept + 1] = ticket
    end
  end
  return kept
end

local function place_of_own()
  for at, ticket in ipairs(bucket.queue) do
    if is_own(ticket) then
      return at - 1, ticket
    end
  end
  for at, ticket in ipairs(bucket.bulk) do
    if is_own(ticket) then
      return #bucket.queue + at - 1, ticket
    end
  end
end

local function has_bulk(line)
  for _, ticket in ipairs(line) do
    if ticket.bulk then
      return true
    end
  end
  return false
end

local function spacing()
  if bucket.limit == 0 then
    return asked.spacing_ms
  end
  local left = math.max(bucket.limit - asked.reserved, bucket.limit / 2)
  return math.max(asked.spacing_ms, asked.window_ms / left)
end

bucket.queue, bucket.bulk = awaited(bucket.queue), awaited(bucket.bulk)
if not place_of_own() then
  local line = asked.bulk and bucket.bulk or bucket.queue
  line[#line + 1] = { program = asked.program, bulk = asked.bulk, due_ms = now }
end
if #bucket.bulk > 0 and not has_bulk(bucket.queue) then
  bucket.queue[#bucket.queue + 1] = table.remove(bucket.bulk, 1)
end

local ahead, own = place_of_own()
if ahead == 0 and bucket.free_ms <= now + EARLY * asked.lead_ms then
  local begins = math.max(bucket.free_ms, now)
  local counted = begins - bucket.free_ms <= LATE and bucket.free_ms or begins
  bucket.free_ms = counted + spacing()
  table.remove(bucket.queue, 1)
  return answer({
    granted = true, wait_ms = begins - now, next_ms = bucket.free_ms - now,
    others = #bucket.queue + #bucket.bulk, limit = bucket.limit, stranger = '',
  })
end

local due = bucket.free_ms - asked.lead_ms
if ahead > 0 then
  due = bucket.free_ms + (ahead - 1) * spacing() + LOOK
end
own.due_ms = math.max(due, now)
return answer({
  granted = false, wait_ms = own.due_ms - now, next_ms = bucket.free_ms - now,
  others = #bucket.queue + #bucket.bulk - 1, limit = bucket.limit, stranger = '',
})
