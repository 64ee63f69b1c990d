"""The one place where counts are changed: a script that runs inside Valkey.

It charges all windows of a request or none of them. A budget is a hash with a
field for each window: "start current previous", the span (its start in
milliseconds), what was charged in it and what was charged in the span before.
"""

CHARGE = """
-- KEYS: one for each budget.
-- ARGV: now, then for each budget: cost, milliseconds to live, number of windows,
--       and for each window: name, limit, start of its span, length, 1 if it slides.
-- Returns 1 if the request is admitted, then for each window: start of its span,
-- charged in it, charged in the span before, asked for by this request.
local position = 0
local function text() position = position + 1; return ARGV[position] end
local function number() return tonumber(text()) end

local now = number()

local function stored(key, name)
  local value = redis.call('HGET', key, name)
  local start, current, previous = string.match(value or '', '^(%d+) (%d+) (%d+)$')
  return tonumber(start), tonumber(current), tonumber(previous)
end

-- The counts of a window as they stand now.
local function read(key, name, start, length, slides)
  local count = {key = key, name = name, start = start, current = 0, previous = 0, asked = 0}
  local at, current, previous = stored(key, name)
  -- A caller whose clock is a little ahead may have begun the next span.
  if at == start or at == start + length then
    count.start, count.current, count.previous = at, current, previous
  elseif slides and at == start - length then
    count.previous = current
  end
  return count
end

-- Two descriptors of a request may name the same window: they share its count.
local shared, counts, limits, lives = {}, {}, {}, {}
for _, key in ipairs(KEYS) do
  local cost = number()
  lives[key] = math.max(lives[key] or 0, number())
  for _ = 1, number() do
    local name, limit, start, length, slides = text(), number(), number(), number(), text() == '1'
    local count = shared[key .. name] or read(key, name, start, length, slides)
    shared[key .. name] = count
    count.asked = count.asked + cost
    counts[#counts + 1] = count
    limits[#limits + 1] = {limit = limit, length = length}
  end
end

-- Whole numbers only: the span before counts by the part of it that is not over.
local function fits(count, window)
  local elapsed = math.max(0, now - count.start)
  local over = (count.current + count.asked - window.limit) * window.length
  return over + count.previous * (window.length - elapsed) <= 0
end

local admitted = 1
for i, count in ipairs(counts) do
  if not fits(count, limits[i]) then admitted = 0 end
end

local answer = {admitted}
for _, count in ipairs(counts) do
  for _, value in ipairs({count.start, count.current, count.previous, count.asked}) do
    answer[#answer + 1] = value
  end
end

if admitted == 1 then
  for _, count in pairs(shared) do
    local current = count.current + count.asked
    local value = string.format('%.0f %.0f %.0f', count.start, current, count.previous)
    redis.call('HSET', count.key, count.name, value)
  end
  for key, milliseconds in pairs(lives) do
    redis.call('PEXPIRE', key, milliseconds)
  end
end
return answer
"""
