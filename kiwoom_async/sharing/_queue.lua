-- The queue for the permits of one bucket, on this server's clock: the same as `_queue.py`.
-- KEYS[1] is the bucket. ARGV: the action ("request", "pause", "hold" or "read"), the format, and the
-- arguments of the action as JSON. All times are in milliseconds. The reply is JSON.

local MARGIN_SECONDS, MOST_PERMITS = 0.02, 1000
local EARLY_LEADS, GRACE_MS, RECHECK_MS = 1.5, 10, 5
local PROGRAM_TTL_MS, LIMIT_TTL_MS = 60000, 24 * 3600000
local BUCKET_TTL_MS = 7 * 24 * 3600000

local clock = redis.call('TIME')
-- Tenths of a millisecond: cjson writes fourteen digits.
local now = clock[1] * 1000 + math.floor(clock[2] / 100) / 10
local action, format = ARGV[1], tonumber(ARGV[2])

local stored = redis.call('GET', KEYS[1])
local readable, bucket = pcall(cjson.decode, stored or 'null')
if stored and (not readable or type(bucket) ~= 'table' or bucket.format ~= format) then
  local stored_format = readable and type(bucket) == 'table' and bucket.format
  return cjson.encode({ format = stored_format or cjson.null })
end
bucket = stored and bucket

local function advance_clock()
  if bucket.updated_ms > now then
    local lost = bucket.updated_ms - now
    bucket.free_at_ms = bucket.free_at_ms - lost
    bucket.next_bulk_ms = bucket.next_bulk_ms - lost
    bucket.limit_until_ms = bucket.limit_until_ms - lost
    for _, permit in ipairs(bucket.permits) do
      permit.back_ms = permit.back_ms - lost
    end
    for _, queue in ipairs({ bucket.queue, bucket.bulk_queue }) do
      for _, ticket in ipairs(queue) do
        ticket.due_ms = ticket.due_ms - lost
      end
    end
    for _, program in pairs(bucket.programs) do
      program.seen_ms = program.seen_ms - lost
    end
  end
  bucket.updated_ms = now
  local in_use = {}
  for _, permit in ipairs(bucket.permits) do
    if permit.back_ms > now then
      in_use[#in_use + 1] = permit
    end
  end
  bucket.permits = in_use
  if bucket.limit_until_ms <= now then
    bucket.limit = 0
  end
  for program_id, program in pairs(bucket.programs) do
    if program.seen_ms < now - PROGRAM_TTL_MS then
      bucket.programs[program_id] = nil
    end
  end
end

local function store_and_encode(reply)
  redis.call('SET', KEYS[1], cjson.encode(bucket), 'PX', BUCKET_TTL_MS)
  reply.now_ms = now
  return cjson.encode(reply)
end

if action == 'read' then
  return cjson.encode({ now_ms = now, bucket = bucket or cjson.null })
end

local function permits_and_window(per_second)
  local permits = math.max(1, math.floor(math.min(per_second, MOST_PERMITS)))
  return permits, 1000 * (1 + MARGIN_SECONDS) * permits / per_second
end

local request = cjson.decode(ARGV[3])
if not bucket then
  local wait = request.new_bucket_ms
  if action == 'request' then
    local _, window = permits_and_window(request.per_second)
    wait = window + EARLY_LEADS * request.lead_ms
  end
  bucket = {
    format = format, updated_ms = now, free_at_ms = now + wait, next_bulk_ms = 0, limit = 0,
    limit_until_ms = 0, slots = 0, permits = {}, queue = {}, bulk_queue = {}, programs = {},
  }
end
advance_clock()

if action == 'pause' then
  bucket.free_at_ms = math.max(bucket.free_at_ms, now + request.pause_ms)
  if request.limit > 0 and (bucket.limit == 0 or request.limit <= bucket.limit) then
    bucket.limit = request.limit
    bucket.limit_until_ms = now + LIMIT_TTL_MS
  end
  return store_and_encode({})
end

if action == 'hold' then
  local back = now + request.hold_ms
  for _, permit in ipairs(bucket.permits) do
    if permit.slot == request.slot then
      permit.back_ms = math.max(permit.back_ms, back)
      return store_and_encode({})
    end
  end
  bucket.permits[#bucket.permits + 1] = { slot = request.slot, back_ms = back }
  return store_and_encode({})
end

for program_id, program in pairs(bucket.programs) do
  if program_id ~= request.program_id and program.reserved ~= request.reserved then
    return store_and_encode({
      granted = false, wait_ms = 0, next_slot_in_ms = 0, others_waiting = 0,
      limit = bucket.limit, conflicting_program = program.name, slot = 0,
    })
  end
end
bucket.programs[request.program_id] = {
  name = request.program_name, seen_ms = now, reserved = request.reserved,
}

local function is_own(ticket)
  return ticket.program_id == request.program_id and ticket.bulk == request.bulk
end

local function without_absent(queue)
  local present = {}
  for _, ticket in ipairs(queue) do
    if is_own(ticket) or ticket.due_ms + GRACE_MS >= now then
      present[#present + 1] = ticket
    end
  end
  return present
end

local function ahead_and_own_ticket()
  for position, ticket in ipairs(bucket.queue) do
    if is_own(ticket) then
      return position - 1, ticket
    end
  end
  for position, ticket in ipairs(bucket.bulk_queue) do
    if is_own(ticket) then
      return #bucket.queue + position - 1, ticket
    end
  end
end

local function has_bulk(queue)
  for _, ticket in ipairs(queue) do
    if ticket.bulk then
      return true
    end
  end
  return false
end

local per_second = request.per_second
if bucket.limit > 0 then
  local shared = math.max(bucket.limit - request.reserved, bucket.limit / 2)
  per_second = math.min(per_second, shared)
end
local permits, window = permits_and_window(per_second)

local function next_slot(bulk)
  local at = math.max(bucket.free_at_ms, bulk and bucket.next_bulk_ms or 0)
  if #bucket.permits < permits then
    return at
  end
  local back = {}
  for _, permit in ipairs(bucket.permits) do
    back[#back + 1] = permit.back_ms
  end
  table.sort(back)
  return math.max(at, back[#back - permits + 1])
end

bucket.queue, bucket.bulk_queue = without_absent(bucket.queue), without_absent(bucket.bulk_queue)
if not ahead_and_own_ticket() then
  local queue = request.bulk and bucket.bulk_queue or bucket.queue
  queue[#queue + 1] = { program_id = request.program_id, bulk = request.bulk, due_ms = now }
end
local bulk_due = bucket.next_bulk_ms <= now + EARLY_LEADS * request.lead_ms
if bulk_due and #bucket.bulk_queue > 0 and not has_bulk(bucket.queue) then
  bucket.queue[#bucket.queue + 1] = table.remove(bucket.bulk_queue, 1)
end

local ahead, ticket = ahead_and_own_ticket()
local head = bucket.queue[1] or bucket.bulk_queue[1]
local begins = math.max(next_slot(head.bulk), now)
if ahead == 0 and begins <= now + EARLY_LEADS * request.lead_ms then
  bucket.slots = bucket.slots + 1
  bucket.permits[#bucket.permits + 1] = {
    slot = bucket.slots, back_ms = begins + window,
  }
  if request.bulk then
    bucket.next_bulk_ms = begins + window / permits
  end
  table.remove(bucket.queue, 1)
  return store_and_encode({
    granted = true, wait_ms = begins - now, next_slot_in_ms = next_slot(request.bulk) - now,
    others_waiting = #bucket.queue + #bucket.bulk_queue, limit = bucket.limit,
    conflicting_program = '', slot = bucket.slots,
  })
end

local due = math.max(begins - request.lead_ms, now)
if ahead > 0 then
  due = begins + (ahead - 1) * window / permits + RECHECK_MS
end
ticket.due_ms = due
return store_and_encode({
  granted = false, wait_ms = due - now, next_slot_in_ms = begins - now,
  others_waiting = #bucket.queue + #bucket.bulk_queue - 1, limit = bucket.limit,
  conflicting_program = '', slot = 0,
})
