-- Reads a JSON body strictly, and holds it against the messages of the contract.
--
-- RFC 8259 to the letter: what is not JSON is refused, and so are a name that
-- stands twice in one object and half of a surrogate pair. Then the names and the
-- types: an unknown name and a value of another type are problems, each with its
-- path. Knows no HTTP and no Envoy; the messages come from contract.lua.
--
-- Strangers' bodies pass through here, so every cost has a bound: values, depth,
-- problems. Long strings are walked byte by byte in loops that LuaJIT compiles.

local MAX_VALUES = 20000
local MAX_DEPTH = 64
local MAX_PROBLEMS = 20
local MAX_NAME_BYTES = 1000
local MAX_SHOWN_BYTES = 100

local byte, find, match, sub = string.byte, string.find, string.match, string.sub

local QUOTE, BACKSLASH, COMMA, COLON = 34, 92, 44, 58
local OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST = 123, 125, 91, 93
local MINUS, ZERO, NINE = 45, 48, 57

-- The body that is being read. Nothing in here waits, so one is enough.
local text, values, problems, trail, mask

local STOP = {}

local function malformed(what, at)
  error({ malformed = what .. " (byte " .. at .. ")" }, 0)
end

-- Paths ------------------------------------------------------------------------

-- Cuts a name that nobody would read to its end, between two characters.
local function shortened(name)
  if name == "" then return '""' end
  if #name <= MAX_SHOWN_BYTES then return name end
  local last = MAX_SHOWN_BYTES
  while byte(name, last + 1) >= 0x80 and byte(name, last + 1) < 0xC0 do last = last - 1 end
  return sub(name, 1, last) .. "..."
end

-- "limits.perMinute", "keys[2].name"
local function path(level)
  local parts = {}
  for i = 1, level do
    local step = trail[i]
    if type(step) == "number" then
      parts[#parts + 1] = "[" .. step .. "]"
    else
      parts[#parts + 1] = (i > 1 and "." or "") .. shortened(step)
    end
  end
  return table.concat(parts)
end

local function report(level, code, message)
  problems[#problems + 1] = { field = path(level), code = code, message = message }
  if #problems == MAX_PROBLEMS then error(STOP, 0) end
end

-- Strings ----------------------------------------------------------------------

local HEX = {}
for i = 0, 9 do HEX[ZERO + i] = i end
for i = 0, 5 do HEX[65 + i], HEX[97 + i] = 10 + i, 10 + i end

local SHORT_ESCAPES = {
  [QUOTE] = '"', [BACKSLASH] = "\\", [47] = "/",
  [98] = "\b", [102] = "\f", [110] = "\n", [114] = "\r", [116] = "\t",
}

-- The code unit of the \u whose backslash is here, or nil.
local function code_unit(at)
  if byte(text, at) ~= BACKSLASH or byte(text, at + 1) ~= 117 then return nil end
  local unit = 0
  for i = at + 2, at + 5 do
    local digit = HEX[byte(text, i) or 0]
    if not digit then return nil end
    unit = unit * 16 + digit
  end
  return unit
end

-- Where the escape that begins here ends.
local function after_escape(at)
  if SHORT_ESCAPES[byte(text, at + 1) or 0] then return at + 2 end
  local unit = code_unit(at)
  if not unit then malformed("an unknown escape stands in a string", at) end
  if unit < 0xD800 or unit > 0xDFFF then return at + 6 end
  local low = unit < 0xDC00 and code_unit(at + 6)
  if not low or low < 0xDC00 or low > 0xDFFF then
    malformed("half of a surrogate pair stands in a string", at)
  end
  return at + 12
end

-- Where the string that begins here ends, and whether it has escapes.
local function string_end(at)
  local stop, escaped = at + 1, false
  while true do
    local char = byte(text, stop)
    if char == QUOTE then return stop, escaped end
    if char == BACKSLASH then
      stop, escaped = after_escape(stop), true
    elseif not char then
      malformed("a string does not end", at)
    elseif char < 32 then
      malformed("a control character stands in a string", stop)
    else
      stop = stop + 1
    end
  end
end

local function utf8(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return string.char(
      0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
  end
  return string.char(0xF0 + math.floor(code / 262144), 0x80 + math.floor(code / 4096) % 64,
    0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

-- The text of a string whose escapes are known to be good.
local function unescaped(first, last)
  local parts, at = {}, first
  while at <= last do
    local stop = find(text, "\\", at, true)
    if not stop or stop > last then break end
    parts[#parts + 1] = sub(text, at, stop - 1)
    local unit = code_unit(stop)
    at = after_escape(stop)
    if not unit then
      parts[#parts + 1] = SHORT_ESCAPES[byte(text, stop + 1)]
    elseif at == stop + 12 then
      parts[#parts + 1] = utf8(0x10000 + (unit - 0xD800) * 1024 + code_unit(stop + 6) - 0xDC00)
    else
      parts[#parts + 1] = utf8(unit)
    end
  end
  parts[#parts + 1] = sub(text, at, last)
  return table.concat(parts)
end

local function between(value, low, high)
  return value ~= nil and value >= low and value <= high
end

-- How many bytes the character has whose first byte, not ASCII, is here (RFC 3629); nil if
-- it is none.
local function character_length(at)
  local lead, second = byte(text, at, at + 1)
  local low, high, length = 0x80, 0xBF, 2
  if lead >= 0xF0 then
    length = 4
    if lead == 0xF0 then low = 0x90 elseif lead == 0xF4 then high = 0x8F end
  elseif lead >= 0xE0 then
    length = 3
    if lead == 0xE0 then low = 0xA0 elseif lead == 0xED then high = 0x9F end
  end
  if lead < 0xC2 or lead > 0xF4 or not between(second, low, high) then return nil end
  for i = at + 2, at + length - 1 do
    if not between(byte(text, i), 0x80, 0xBF) then return nil end
  end
  return length
end

local function require_utf8()
  local at, last = 1, #text
  while at <= last do
    if byte(text, at) < 0x80 then
      at = at + 1
    else
      local length = character_length(at)
      if not length then malformed("the text is not UTF-8", at) end
      at = at + length
    end
  end
end

-- Types ------------------------------------------------------------------------

local function is_leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

local DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function is_date(year, month, day)
  if year < 1 or month < 1 or month > 12 then return false end
  local days = (month == 2 and is_leap(year)) and 29 or DAYS[month]
  return day >= 1 and day <= days
end

-- "Z", "+02:00", with a fraction of a second of up to nine digits before it.
local function is_zone(rest)
  local fraction, zone = match(rest, "^%.(%d+)(.*)$")
  if fraction and #fraction > 9 then return false end
  zone = zone or rest
  if zone == "Z" then return true end
  local hours, minutes = match(zone, "^[+-](%d%d):(%d%d)$")
  return hours ~= nil and tonumber(hours) < 24 and tonumber(minutes) < 60
end

local function is_timestamp(value)
  local year, month, day, hour, minute, second, rest =
    match(value, "^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d)(.*)$")
  return year ~= nil
    and is_date(tonumber(year), tonumber(month), tonumber(day))
    and tonumber(hour) < 24 and tonumber(minute) < 60 and tonumber(second) < 60
    and is_zone(rest)
end

-- RFC 4648 in either alphabet, with the padding or without; the bits that stand for nothing
-- are zero.
local function is_base64(value)
  local digits, padding = match(value, "^([%w+/]*)(=*)$")
  if not digits then digits, padding = match(value, "^([%w_-]*)(=*)$") end
  if not digits then return false end
  local rest = #digits % 4
  if rest == 1 or (#padding > 0 and (rest == 0 or rest + #padding ~= 4)) then return false end
  if rest == 2 then return find(digits, "[AQgw]$") ~= nil end
  return rest == 0 or find(digits, "[AEIMQUYcgkosw048]$") ~= nil
end

local function is_integer_text(value)
  return #value <= 20 and find(value, "^-?%d+$") ~= nil
end

local function is_any() return true end

local function is_integral(value)
  return value == math.floor(value) and value - value == 0
end

local function in_range(low, high)
  return function(value) return is_integral(value) and value >= low and value <= high end
end

-- For each kind of field what is right as a string and as a number, and how that is said.
local KINDS = {
  string = { says = "must be a string", text = is_any },
  bool = { says = "must be true or false", bool = true },
  int32 = {
    says = "must be an integer from -2147483648 to 2147483647",
    number = in_range(-2147483648, 2147483647),
  },
  uint32 = {
    says = "must be an integer from 0 to 4294967295", number = in_range(0, 4294967295),
  },
  -- 64 bits do not fit into a number of JSON, so they may be sent as text.
  int64 = {
    says = "must be an integer of 64 bits, as a string", text = is_integer_text, number = is_integral,
  },
  number = { says = "must be a number", number = is_any },
  bytes = { says = "must be base64", text = is_base64 },
  timestamp = {
    says = 'must be a time of RFC 3339, as in "2030-01-31T12:00:00Z"', text = is_timestamp,
  },
  message = { says = "must be an object" },
  any = { says = "", text = is_any, number = is_any, bool = true },
}

local function misfit(field, level)
  report(level, "INVALID_TYPE", KINDS[field.kind].says)
end

-- The grammar ------------------------------------------------------------------

local function space(at)
  while true do
    local char = byte(text, at)
    if char ~= 32 and char ~= 10 and char ~= 13 and char ~= 9 then return at end
    at = at + 1
  end
end

local function unexpected(at, wanted)
  if at > #text then malformed(wanted .. " is expected where the body ends", at) end
  malformed(wanted .. " is expected", at)
end

local function number_end(at)
  local _, stop = find(text, "^-?[1-9]%d*", at)
  if not stop then _, stop = find(text, "^-?0", at) end
  if not stop then unexpected(at, "a number") end
  if byte(text, stop + 1) == 46 then
    _, stop = find(text, "^%d+", stop + 2)
    if not stop then malformed("a number has no digits behind its point", at) end
  end
  if find(text, "^[eE]", stop + 1) then
    _, stop = find(text, "^[+-]?%d+", stop + 2)
    if not stop then malformed("a number has no digits in its exponent", at) end
  end
  return stop
end

local read_value, read_object, read_list

local LITERALS = { [116] = "true", [102] = "false", [110] = "null" }

-- Where the value that begins here ends, if it is one of the three.
local function literal_end(at, char)
  local word = LITERALS[char]
  if not word or sub(text, at, at + #word - 1) ~= word then unexpected(at, "a value") end
  return at + #word
end

local function read_string(at, field, level)
  local stop, escaped = string_end(at)
  local accepts = field and KINDS[field.kind].text
  if field and not accepts then
    misfit(field, level)
  elseif accepts and accepts ~= is_any then
    local value = escaped and unescaped(at + 1, stop - 1) or sub(text, at + 1, stop - 1)
    if not accepts(value) then misfit(field, level) end
  end
  return stop + 1
end

local function read_number(at, field, level)
  local stop = number_end(at)
  if field then
    local accepts = KINDS[field.kind].number
    if not accepts or not accepts(tonumber(sub(text, at, stop))) then misfit(field, level) end
  end
  return stop + 1
end

-- One value. Without a field only its grammar counts.
local function read_item(at, field, level, masked)
  values = values + 1
  if values > MAX_VALUES then malformed("there are more than " .. MAX_VALUES .. " values", at) end
  local char = byte(text, at)
  if char == QUOTE then return read_string(at, field, level) end
  if char == OPEN_OBJECT then
    if field and field.kind ~= "any" and field.kind ~= "message" then misfit(field, level) end
    return read_object(at, field and field.message, level + 1, masked)
  end
  if char == OPEN_LIST then
    if field and field.kind ~= "any" then misfit(field, level) end
    return read_list(at, nil, level + 1)
  end
  if char and (char == MINUS or char >= ZERO and char <= NINE) then
    return read_number(at, field, level)
  end
  local after = literal_end(at, char)
  if field and not (KINDS[field.kind].bool and (char ~= 110 or field.kind == "any")) then
    misfit(field, level)
  end
  return after
end

function read_list(at, field, level)
  if level > MAX_DEPTH then malformed("the values are nested too deeply", at) end
  at = space(at + 1)
  if byte(text, at) == CLOSE_LIST then return at + 1 end
  local index = 0
  while true do
    trail[level] = index
    at = space(read_item(at, field, level))
    local char = byte(text, at)
    if char == CLOSE_LIST then return at + 1 end
    if char ~= COMMA then unexpected(at, '"," or "]"') end
    at, index = space(at + 1), index + 1
  end
end

-- The value of a field. Null says the same as leaving the field out.
function read_value(at, field, level, masked)
  local char = byte(text, at)
  if char == 110 and sub(text, at, at + 3) == "null" then
    values = values + 1
    return at + 4
  end
  if not field or not field.list then return read_item(at, field, level, masked) end
  if char == OPEN_LIST then return read_list(at, field, level + 1) end
  report(level, "INVALID_TYPE", "must be a list")
  return read_item(at, nil, level)
end

local function camel(name)
  return (string.gsub(name, "_(%l)", string.upper))
end

local function unknown(message, name, level)
  local says = "There is no such field."
  local near = camel(name)
  if near ~= name and message[near] then says = "There is no such field; its name is " .. near .. "." end
  report(level, "UNKNOWN_FIELD", says)
end

-- The name that begins here, and where its value does.
local function read_name(at, seen)
  if byte(text, at) ~= QUOTE then unexpected(at, "a name in quotation marks") end
  local stop, escaped = string_end(at)
  if stop - at > MAX_NAME_BYTES then malformed("a name is too long", at) end
  local name = escaped and unescaped(at + 1, stop - 1) or sub(text, at + 1, stop - 1)
  if seen[name] then malformed("a name stands twice in one object", at) end
  seen[name] = true
  local colon = space(stop + 1)
  if byte(text, colon) ~= COLON then unexpected(colon, '":"') end
  return name, space(colon + 1)
end

-- Args: message: its fields by name; nil if only the grammar counts.
--       masked: whether the names of its fields belong into the mask.
function read_object(at, message, level, masked)
  if level > MAX_DEPTH then malformed("the values are nested too deeply", at) end
  at = space(at + 1)
  if byte(text, at) == CLOSE_OBJECT then return at + 1, true end
  local seen, name = {}, nil
  while true do
    name, at = read_name(at, seen)
    trail[level] = name
    local field = message and message[name]
    if message and not field then unknown(message, name, level) end
    local inside = masked and field and field.merged and byte(text, at) == OPEN_OBJECT
    if masked and field and not inside then mask[#mask + 1] = path(level) end
    at = space(read_value(at, field, level, inside))
    local char = byte(text, at)
    if char == CLOSE_OBJECT then return at + 1, false end
    if char ~= COMMA then unexpected(at, '"," or "}"') end
    at = space(at + 1)
  end
end

local function read_body(message, masked)
  require_utf8()
  local at = space(1)
  if byte(text, at) ~= OPEN_OBJECT then
    local after = space(read_item(at, nil, 0))
    if after <= #text then unexpected(after, "the end of the body") end
    return { no_object = true }
  end
  local after, empty = read_object(at, message, 1, masked)
  local rest = space(after)
  if rest <= #text then unexpected(rest, "the end of the body") end
  return { empty = empty, close = after - 1 }
end

local strict_json = {}

-- Reads a body.
--
-- Args: message: the fields that it may have, by name, each with
--         kind, list, message (of its fields), merged (a change goes inside).
--       masked: whether to collect the names that the body has.
-- Returns a table with one of
--   malformed: why it is no JSON,
--   no_object: true if it is another value than an object,
--   problems: a list of field, code, message,
--   or, if all is well: empty, whether it has no name; mask, its names in order,
--   and close, where its last brace is.
function strict_json.read(body, message, masked)
  text, values, problems, trail, mask = body, 0, {}, {}, {}
  local done, result = pcall(read_body, message, masked)
  local found, names = problems, mask
  text, problems, trail, mask = nil, nil, nil, nil
  if not done then
    if result == STOP then return { problems = found } end
    if type(result) == "table" and result.malformed then return result end
    error(result, 0)
  end
  if #found > 0 then return { problems = found } end
  table.sort(names)
  result.mask = names
  return result
end

return strict_json
