"""The one place where counts are changed: a script that runs inside Valkey.

It decides a whole batch of requests in one call, one after the other. Each is
charged to all of its windows, or to none if one of them refuses. A budget is a
string with a record for each window: the period, then

    of a burst (GCRA): its theoretical arrival time, in microseconds, at which it is empty
    of a sliding window log: the last charge that counts, and the sum of the charges in the
        window; both are computed from the log at each decision
    of any other: the start of its span, what was charged in it, and in the previous span

A budget with a log begins with a zero, the number of charges in the log (1 byte), and for
each of them its time in milliseconds (6) and its amount (2); the records follow.
"""

REFUSED, ADMITTED, OVER_A_SHADOW = 0, 1, 2

CHARGE = """
-- KEYS: the budgets of all requests, in their order.
-- ARGV: now in milliseconds, then each request, packed:
--   the number of its budgets (2 bytes), and for each of them: when it may expire (8),
--   number of windows (1), and for each of them: period (1), algorithm (1), 1 in shadow mode
--   (1), limit (8), start of the span (8), its length (8), what is asked for (8), and what is
--   charged (8): less, if another window of the request charges the same count.
--   Limits and amounts of a burst are microseconds: the time in which they drain.
-- Returns for each request 1 if it is admitted and for each of its budgets the records of the
--   windows after the charge; or 2 if it is admitted but a window in shadow mode would have
--   refused it, or 0 if it is refused, and the records before the charge.
local GCRA, SLIDING_WINDOW, SLIDING_WINDOW_LOG = 0, 1, 3
local HIGHEST = 4294967295
local RECORD, WINDOW = 'BI8I4I4', 'BBBI8I8I8I8I8'
local RECORD_BYTES, WINDOW_FIELDS = 17, 8
-- A charge in a log. A limit with a log is lower than the number of charges that are kept.
local CHARGE, CHARGE_BYTES, LARGEST_CHARGE, CHARGES = 'I6I2', 8, 65535, 20
local READ_AT_ONCE = 1000
local unpack_fields, pack_fields = struct.unpack, struct.pack
local now = tonumber(ARGV[1])
local now_us = now * 1000

-- The formats of so many records, or windows, in a row.
local records_of, windows_of, charges_of = {}, {}, {}
local function format(known, each, number)
  local found = known[number]
  if not found then
    found = '<' .. string.rep(each, number)
    known[number] = found
  end
  return found
end

-- The requests of a tier's callers are alike, and unpacked once.
local requests = {}
local function unpacked_request(packed)
  local request = requests[packed]
  if request then return request end
  request = {}
  local number, position = unpack_fields('<H', packed)
  for i = 1, number do
    local expires, windows
    expires, windows, position = unpack_fields('<I8B', packed, position)
    local budget = {unpack_fields(format(windows_of, WINDOW, windows), packed, position)}
    position = budget[#budget]
    budget.expires, budget.windows = expires, windows
    request[i] = budget
  end
  requests[packed] = request
  return request
end

local values = {}
for first = 1, #KEYS, READ_AT_ONCE do
  local last = math.min(first + READ_AT_ONCE - 1, #KEYS)
  local found = redis.call('MGET', unpack(KEYS, first, last))
  for i = first, last do values[i] = found[i - first + 1] end
end

-- The charges of a log, times and amounts in turn, and where the records begin.
local function read_log(value)
  if value:byte(1) ~= 0 then return nil, 1 end
  local number = value:byte(2) or 0
  local records = 3 + number * CHARGE_BYTES
  if #value < records then return nil, 1 end
  local log = {unpack_fields(format(charges_of, CHARGE, number), value, 3)}
  log[#log] = nil
  return log, records
end

-- What is not a budget of ours is ignored.
local function read_count(value)
  local log, at = read_log(value)
  local number = (#value - at + 1) / RECORD_BYTES
  if number % 1 ~= 0 then return nil end
  local count = {unpack_fields(format(records_of, RECORD, number), value, at)}
  count.number, count.log = number, log
  return count
end

-- Each budget is read once and written once, however many requests share it: four fields a
-- record, in the order in which they are stored.
local counts = {}
local function counts_of(index, expires)
  local found = counts[KEYS[index]]
  if not found then
    local value = values[index]
    found = value and read_count(value) or {number = 0, renewed = true}
    found.expires = expires
    counts[KEYS[index]] = found
  end
  if found.expires < expires then found.expires = expires end
  return found
end

-- The index of the record of a period, if it is not at the index of its window.
local function place(count, period)
  for i = 1, 4 * count.number, 4 do
    if count[i] == period then
      count.scattered = true
      return i
    end
  end
  local i = 4 * count.number + 1
  count[i], count[i + 1], count[i + 2], count[i + 3] = period, 0, 0, 0
  count.number, count.renewed = count.number + 1, true
  return i
end

-- The clock of another process may be a little ahead, so a time a little in the future is
-- valid; one in the far future is not, for it would lock the caller out.
local function arrival_time(count, i, limit)
  local at = count[i + 1]
  if at < now_us or at > now_us + 2 * limit then
    count[i + 1] = now_us
    return now_us
  end
  return at
end

local function slide(count, i, algorithm, start, length)
  local at = count[i + 1]
  if at == start + length then return end
  local follows = algorithm == SLIDING_WINDOW and at == start - length
  count[i + 3] = follows and count[i + 2] or 0
  count[i + 1], count[i + 2] = start, 0
  -- The count expires later in the next span.
  count.renewed = true
end

-- A charge counts for the length of the window, to the millisecond; one that is further in the
-- future than that has the time of a wrong clock. The record gets the charge after whose end the
-- same request fits if it does not fit now, else the last one. With a limit of 0 nothing ever
-- fits; the record gets the present moment then.
local function look_back(count, i, length, asked, limit)
  local log = count.log or {}
  local used, last = 0, limit > 0 and now - length or now
  for c = 1, #log, 2 do
    if log[c] > now - length and log[c] <= now + length then
      used, last = used + log[c + 1], log[c]
    end
  end
  local fits = used + asked <= limit
  if not fits and asked <= limit then
    local excess = used + asked - limit
    for c = 1, #log, 2 do
      if excess <= 0 then break end
      if log[c] > now - length and log[c] <= now + length then
        excess, last = excess - log[c + 1], log[c]
      end
    end
  end
  count[i + 1], count[i + 2], count[i + 3] = last, used, 0
  return fits
end

-- Adds a charge to a log, in the order of time, and removes those that count no longer.
local function add_to_log(count, amount, length)
  local kept, added = {}, false
  local function keep(at, charged)
    if kept[#kept - 1] == at then
      charged = charged + kept[#kept]
      kept[#kept], kept[#kept - 1] = nil, nil
    end
    kept[#kept + 1], kept[#kept + 2] = at, math.min(charged, LARGEST_CHARGE)
  end
  local log = count.log or {}
  for c = 1, #log, 2 do
    if log[c] > now - length and log[c] <= now + length then
      if not added and log[c] > now then
        keep(now, amount)
        added = true
      end
      keep(log[c], log[c + 1])
    end
  end
  if not added then keep(now, amount) end
  count.log = {unpack(kept, math.max(1, #kept - 2 * CHARGES + 1))}
  count.expires, count.renewed = math.max(count.expires, now + length), true
end

-- Brings the counts of a budget up to the present; returns whether a window refuses, and
-- whether one in shadow mode would. Whole numbers only: the previous span counts by its part
-- in the window.
local function examine(budget, count)
  local refused, shadowed = false, false
  local i = 1
  for w = 1, WINDOW_FIELDS * budget.windows, WINDOW_FIELDS do
    local period, limit, asked = budget[w], budget[w + 3], budget[w + 6]
    local at = i
    if count[at] ~= period then at = place(count, period) end
    local fits
    if budget[w + 1] == GCRA then
      fits = arrival_time(count, at, limit) - now_us + asked <= limit
    elseif budget[w + 1] == SLIDING_WINDOW_LOG then
      fits = look_back(count, at, budget[w + 5], asked, limit)
    else
      local start, length = budget[w + 4], budget[w + 5]
      if count[at + 1] ~= start then slide(count, at, budget[w + 1], start, length) end
      local over = (count[at + 2] + asked - limit) * length
      local previous = count[at + 3]
      if previous > 0 then
        over = over + previous * (length - math.max(0, now - count[at + 1]))
      end
      fits = over <= 0
    end
    if not fits then
      if budget[w + 2] == 1 then shadowed = true else refused = true end
    end
    i = i + 4
  end
  return refused, shadowed
end

-- Shadow mode admits more than the limit, so a count stops at the capacity.
local function charge(budget, count)
  local i, logged, length = 1, 0, 0
  for w = 1, WINDOW_FIELDS * budget.windows, WINDOW_FIELDS do
    local amount = budget[w + 7]
    if amount > 0 then
      local at = i
      if count[at] ~= budget[w] then at = place(count, budget[w]) end
      if budget[w + 1] == GCRA then
        local capacity = now_us + budget[w + 3]
        count[at + 1] = math.min(count[at + 1] + amount, math.max(count[at + 1], capacity))
      elseif budget[w + 1] == SLIDING_WINDOW_LOG then
        count[at + 1], count[at + 2] = now, math.min(count[at + 2] + amount, HIGHEST)
        logged, length = math.max(logged, amount), math.max(length, budget[w + 5])
      else
        count[at + 2] = math.min(count[at + 2] + amount, HIGHEST)
      end
      count.charged = true
    end
    i = i + 4
  end
  if logged > 0 then add_to_log(count, logged, length) end
end

local function packed_records(count)
  return pack_fields(format(records_of, RECORD, count.number), unpack(count, 1, 4 * count.number))
end

local function packed(count)
  local log = count.log
  if not log then return packed_records(count) end
  local number = #log / 2
  return string.char(0, number) .. pack_fields(format(charges_of, CHARGE, number), unpack(log))
    .. packed_records(count)
end

-- The records of the windows alone, in their order.
local function window_records(budget, count)
  if not count.scattered and count.number == budget.windows then return packed_records(count) end
  local records = {}
  for w = 1, WINDOW_FIELDS * budget.windows, WINDOW_FIELDS do
    local at = place(count, budget[w])
    records[#records + 1] = pack_fields('<' .. RECORD, unpack(count, at, at + 3))
  end
  return table.concat(records)
end

local answers, number_of_answers, next_key = {}, 0, 1
local function add_answers(request)
  for b = 1, #request do
    local count = counts[KEYS[next_key + b - 1]]
    answers[number_of_answers + b] = window_records(request[b], count)
  end
end

local function decide(request)
  local refused, shadowed = false, false
  for b = 1, #request do
    local budget = request[b]
    local no, maybe = examine(budget, counts_of(next_key + b - 1, budget.expires))
    refused, shadowed = refused or no, shadowed or maybe
  end
  local verdict = refused and 0 or shadowed and 2 or 1
  number_of_answers = number_of_answers + 1
  answers[number_of_answers] = verdict
  if verdict == 2 then add_answers(request) end
  if verdict > 0 then
    for b = 1, #request do charge(request[b], counts[KEYS[next_key + b - 1]]) end
  end
  if verdict < 2 then add_answers(request) end
  next_key, number_of_answers = next_key + #request, number_of_answers + #request
end

for i = 2, #ARGV do decide(unpacked_request(ARGV[i])) end

for key, count in pairs(counts) do
  if count.charged then
    if count.renewed then
      local life = math.max(1, count.expires - now)
      redis.call('SET', key, packed(count), 'PX', string.format('%.0f', life))
    else
      redis.call('SETRANGE', key, 0, packed(count))
    end
  end
end
return answers
"""
