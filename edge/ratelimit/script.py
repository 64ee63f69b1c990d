"""The one place where counts are changed: a function that runs inside Valkey.

It decides a whole batch of questions in one call, one after the other. Each is
charged to all of its windows, or to none if one of them refuses. A budget is a
string with a record for each window: the period, then

    of a window that drips: when it will be empty, in microseconds, and nothing else
    of any other: the start of its span, what was charged in it, and in the span before
"""

CHARGE = """
-- KEYS: the budgets of all questions, in their order.
-- ARGV: now in milliseconds, then each question, packed:
--   the number of its budgets (1 byte), and for each of them: cost (4), when it may be
--   forgotten (8), number of windows (1), and for each of them: period (1), algorithm (1),
--   1 for a shadow (1), limit (4), start of the span (8), its length, or the interval of
--   a drip in microseconds (8).
-- Returns for each question a string: 1 if it is admitted, then for each window its record
-- as it was before (16) and what the question asked of it (8).
local DRIPS, SLIDES = 0, 1
local HIGHEST = 4294967295
local now = tonumber(ARGV[1])
local now_us = now * 1000
local unpack, pack = struct.unpack, struct.pack

-- Each budget is read once and written once, however many questions share it.
local budgets = {}
local function budget_of(key)
  local budget = budgets[key]
  if not budget then
    budget = {counts = {}, expires = 0, charged = false}
    local value, position = redis.call('GET', key) or '', 1
    while position < #value do
      local period, at, current, previous
      period, at, current, previous, position = unpack('<BI8I4I4', value, position)
      budget.counts[period] = {at = at, current = current, previous = previous, asked = 0}
    end
    budgets[key] = budget
  end
  return budget
end

-- A clock may be a little behind that of another process, so a time that lies a little
-- ahead is believed; one that lies far ahead is not, for it would lock the caller out.
local function drip(count, window)
  local fills = window.limit * window.length
  if count.at < now_us or count.at > now_us + 2 * fills then count.at = now_us end
end

local function slide(count, window)
  local start, length = window.start, window.length
  if count.at == start or count.at == start + length then return end
  local follows = window.algorithm == SLIDES and count.at == start - length
  count.previous = follows and count.current or 0
  count.at, count.current = start, 0
end

-- The count of a window, brought up to the present.
local function count_of(budget, window)
  local count = budget.counts[window.period]
  if not count then
    count = {at = 0, current = 0, previous = 0, asked = 0}
    budget.counts[window.period] = count
  end
  if window.algorithm == DRIPS then drip(count, window) else slide(count, window) end
  return count
end

-- Whole numbers only: the span before counts by the part of it that is not over.
local function fits(count, window)
  if window.algorithm == DRIPS then
    return count.at - now_us + count.asked * window.length <= window.limit * window.length
  end
  local elapsed = math.max(0, now - count.at)
  local over = (count.current + count.asked - window.limit) * window.length
  return over + count.previous * (window.length - elapsed) <= 0
end

-- A shadow lets more pass than its limit, so it stops at the brim.
local function charge(count, window)
  if window.algorithm == DRIPS then
    local brim = now_us + window.limit * window.length
    count.at = math.min(count.at + count.asked * window.length, math.max(count.at, brim))
  else
    count.current = math.min(count.current + count.asked, HIGHEST)
  end
  count.asked = 0
end

local next_key = 0
local function read(question)
  local windows, position = {}, 2
  for _ = 1, (unpack('<B', question)) do
    local cost, expires, number
    cost, expires, number, position = unpack('<I4I8B', question, position)
    next_key = next_key + 1
    local budget = budget_of(KEYS[next_key])
    budget.expires = math.max(budget.expires, expires)
    for _ = 1, number do
      local window = {budget = budget}
      window.period, window.algorithm, window.shadow, window.limit, window.start, window.length,
        position = unpack('<BBBI4I8I8', question, position)
      window.count = count_of(budget, window)
      -- Two descriptors of a question may name one window: it is asked for both.
      window.count.asked = window.count.asked + cost
      windows[#windows + 1] = window
    end
  end
  return windows
end

local function decide(windows)
  local admitted, parts = 1, {''}
  for i, window in ipairs(windows) do
    local count = window.count
    parts[i + 1] = pack('<I8I4I4I8', count.at, count.current, count.previous, count.asked)
    if window.shadow == 0 and not fits(count, window) then admitted = 0 end
  end
  for _, window in ipairs(windows) do
    if admitted == 1 and window.count.asked > 0 then
      charge(window.count, window)
      window.budget.charged = true
    end
    window.count.asked = 0
  end
  parts[1] = pack('<B', admitted)
  return table.concat(parts)
end

local answers = {}
for i = 2, #ARGV do answers[i - 1] = decide(read(ARGV[i])) end

for key, budget in pairs(budgets) do
  if budget.charged then
    local records = {}
    for period, count in pairs(budget.counts) do
      records[#records + 1] = pack('<BI8I4I4', period, count.at, count.current, count.previous)
    end
    local life = math.max(1, budget.expires - now)
    redis.call('SET', key, table.concat(records), 'PX', string.format('%.0f', life))
  end
end
return answers
"""
