-- Wraps JSON answers in Portico's envelope.
--
-- Runs above the transcoder, so that on the way back it finds JSON. It never
-- touches native gRPC and gRPC-Web, nor what Envoy answers itself (local
-- replies have the error shape already), with one exception: a refusal by the
-- transcoder, whose message names the field.
--
-- What it must know of a method (status, list field) is metadata of the route,
-- generated from the contract. Nothing here names a method. It has no part in
-- requests: a coroutine for each of them would cost as much as the envelope does.

-- google.rpc.Code: the HTTP status, and error.code where the core names no reason.
local STATUS = {
  [1] = { 499, "CANCELLED" },
  [2] = { 500, "INTERNAL" },
  [3] = { 422, "VALIDATION_ERROR" },
  [4] = { 504, "TIMEOUT" },
  [5] = { 404, "NOT_FOUND" },
  [6] = { 409, "ALREADY_EXISTS" },
  [7] = { 403, "PERMISSION_DENIED" },
  [8] = { 429, "RATE_LIMIT_EXCEEDED" },
  [9] = { 409, "FAILED_PRECONDITION" },
  [10] = { 409, "ABORTED" },
  [11] = { 422, "OUT_OF_RANGE" },
  [12] = { 501, "UNIMPLEMENTED" },
  [13] = { 500, "INTERNAL" },
  [14] = { 503, "UNAVAILABLE" },
  [15] = { 500, "INTERNAL" },
  [16] = { 401, "UNAUTHENTICATED" },
}
local INTERNAL_MESSAGE = "An internal error occurred."

-- JSON ----------------------------------------------------------------------

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quote(text)
  local escaped = string.gsub(text or "", '[%c"\\]', function(c)
    return ESCAPES[c] or string.format("\\u%04x", string.byte(c))
  end)
  return '"' .. escaped .. '"'
end

local UNESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function utf8(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xC0 + math.floor(code / 0x40), 0x80 + code % 0x40) end
  return string.char(
    0xE0 + math.floor(code / 0x1000), 0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
end

-- A small decoder for what the transcoder prints: only on the error path.
local decode_value

local function skip_space(text, at)
  return string.find(text, "[^ \t\r\n]", at) or error("JSON ends early")
end

local function decode_string(text, at)
  local from = at + 1
  local stop = from
  while true do
    stop = string.find(text, '["\\]', stop) or error("JSON string ends early")
    if string.sub(text, stop, stop) == '"' then break end
    stop = stop + 2
  end
  local raw = string.sub(text, from, stop - 1)
  if not string.find(raw, "\\", 1, true) then return raw, stop + 1 end
  local plain = string.gsub(raw, "\\(.)(%x?%x?%x?%x?)", function(kind, hex)
    if kind == "u" then return utf8(tonumber(hex, 16)) end
    return (UNESCAPES[kind] or kind) .. hex
  end)
  return plain, stop + 1
end

local function decode_sequence(text, at, closing, read_item)
  local result = {}
  at = skip_space(text, at + 1)
  if string.sub(text, at, at) == closing then return result, at + 1 end
  while true do
    at = skip_space(text, read_item(result, at))
    local mark = string.sub(text, at, at)
    if mark == closing then return result, at + 1 end
    if mark ~= "," then error("JSON lacks a comma") end
    at = skip_space(text, at + 1)
  end
end

local function decode_object(text, at)
  return decode_sequence(text, at, "}", function(result, from)
    local key, colon = decode_string(text, from)
    local value, after = decode_value(text, skip_space(text, colon) + 1)
    result[key] = value
    return after
  end)
end

local function decode_array(text, at)
  return decode_sequence(text, at, "]", function(result, from)
    local value, after = decode_value(text, from)
    result[#result + 1] = value
    return after
  end)
end

local LITERALS = { ["true"] = true, ["false"] = false }

function decode_value(text, at)
  at = skip_space(text, at)
  local first = string.sub(text, at, at)
  if first == "{" then return decode_object(text, at) end
  if first == "[" then return decode_array(text, at) end
  if first == '"' then return decode_string(text, at) end
  local _, last, word = string.find(text, "^([%w+.-]+)", at)
  if not last then error("JSON value expected") end
  if LITERALS[word] ~= nil then return LITERALS[word], last + 1 end
  return tonumber(word), last + 1
end

-- The envelope ----------------------------------------------------------------

local function camel(path)
  return (string.gsub(path, "_(%l)", string.upper))
end

local function detail(field, code, message)
  return '{"field":' .. quote(field) .. ',"code":' .. quote(code)
    .. ',"message":' .. quote(message) .. "}"
end

local function failure(code, message, details, request_id)
  return '{"success":false,"error":{"code":' .. quote(code) .. ',"message":' .. quote(message)
    .. ',"details":[' .. table.concat(details, ",") .. '],"requestId":' .. quote(request_id) .. "}}"
end

local function number(headers, name)
  return tonumber(headers:get(name) or "")
end

local function rate_limit(headers)
  local limit = number(headers, "x-ratelimit-limit")
  local remaining = number(headers, "x-ratelimit-remaining")
  local reset = number(headers, "x-ratelimit-reset")
  if not (limit and remaining and reset) then return "" end
  return string.format('"rateLimit":{"limit":%d,"remaining":%d,"resetAt":"%s"},',
    limit, remaining, os.date("!%Y-%m-%dT%H:%M:%SZ", reset))
end

-- Splits the transcoder's answer into data and pagination, by the shape of the method.
local function open_answer(answer, shape)
  if shape.list then
    local items, cursor, more = string.match(
      answer, '^{"' .. shape.list .. '":(.*),"nextCursor":("[^"]*"),"hasMore":(%a+)}$')
    if not items then error("not a page of " .. shape.list) end
    if cursor == '""' then cursor = "null" end
    return items, '"pagination":{"nextCursor":' .. cursor .. ',"hasMore":' .. more .. "},"
  end
  if shape.field then
    if answer == "{}" then return "null", "" end
    local value = string.match(answer, '^{"' .. shape.field .. '":(.*)}$')
    return value or error("no field " .. shape.field), ""
  end
  return answer, ""
end

local function success(answer, shape, headers, request_id)
  local data, pagination = open_answer(answer, shape)
  return '{"success":true,"data":' .. data .. ',"meta":{' .. pagination
    .. rate_limit(headers) .. '"requestId":' .. quote(request_id) .. "}}"
end

-- Answers -----------------------------------------------------------------------

-- CHALLENGE and INVALID_TOKEN are set by who loads this. The second is for those who have
-- presented a token, or a key in exchange for which the gateway had one.
local function send(handle, status, body, challenge)
  local headers = handle:headers()
  headers:replace(":status", tostring(status))
  headers:replace("content-type", "application/json")
  if status == 401 and not headers:get("www-authenticate") then
    challenge = challenge or CHALLENGE
    -- Only a call of the scheme DPoP has a nonce for the next one (RFC 9449, section 7.1).
    if headers:get("dpop-nonce") then challenge = string.gsub(challenge, "^Bearer", "DPoP") end
    headers:add("www-authenticate", challenge)
  elseif status == 503 and not headers:get("retry-after") then
    headers:add("retry-after", "1")
  end
  local length = handle:body(true):setBytes(body)
  handle:headers():replace("content-length", tostring(length))
end

local function send_empty(handle, status)
  local headers = handle:headers()
  headers:replace(":status", tostring(status))
  headers:remove("content-type")
  -- What 200 would have said (RFC 9110, section 15.4.5): that it depends on the encoding.
  if status == 304 then headers:add("vary", "Accept-Encoding") end
  local body = handle:body()
  if body then body:setBytes("") end
  -- After setBytes, which sets it; 204 must not have it, and in 304 it would be that of 200.
  handle:headers():remove("content-length")
end

local function read_body(handle)
  local body = handle:body(true)
  return body:getBytes(0, body:length())
end

-- google.rpc.Status as the transcoder prints it, with its details.
local function on_error(handle, http_status, request_id)
  local decoded, status = pcall(decode_value, read_body(handle), 1)
  if not decoded or type(status) ~= "table" or not STATUS[status.code] then
    return send(handle, http_status, failure("INTERNAL", INTERNAL_MESSAGE, {}, request_id))
  end
  local http, code = STATUS[status.code][1], STATUS[status.code][2]
  if http == 500 then
    return send(handle, 500, failure("INTERNAL", INTERNAL_MESSAGE, {}, request_id))
  end
  local details = {}
  for _, part in ipairs(status.details or {}) do
    local kind = string.match(part["@type"] or "", "google%.rpc%.(%w+)$")
    if kind == "ErrorInfo" then
      code = part.reason or code
    elseif kind == "BadRequest" then
      for _, violation in ipairs(part.fieldViolations or {}) do
        local reason = violation.reason ~= "" and violation.reason or "INVALID"
        local field = camel(violation.field or "")
        if field == "" then
          status.message = violation.description
        else
          details[#details + 1] = detail(field, reason, violation.description)
        end
      end
    elseif kind == "RetryInfo" then
      local delay = tonumber(string.match(part.retryDelay or "", "^([%d.]+)s$"))
      if delay then handle:headers():replace("retry-after", tostring(math.ceil(delay))) end
    end
  end
  if code == "ETAG_MISMATCH" then http = 412 end
  if code == "PAYLOAD_TOO_LARGE" then http = 413 end
  local refused = code == "UNAUTHENTICATED" or code == "TOKEN_EXPIRED"
  local body = failure(code, status.message, details, request_id)
  send(handle, http, body, refused and INVALID_TOKEN or CHALLENGE)
end

local function on_success(handle, shape, request_id)
  local headers = handle:headers()
  local status = tonumber(headers:get("x-http-code") or shape.status)
  if status == 204 or status == 304 then return send_empty(handle, status) end
  local answer = read_body(handle)
  send(handle, status, success(answer, shape, handle:headers(), request_id))
end

-- A request that the transcoder refused, told by its path or by the transcoder's message.

-- Whether the route is a method's own, which REST callers reach when the transcoder has found it.
local function is_method(handle)
  local route = handle:metadata()
  return route:get("status") ~= nil or route:get("raw") ~= nil
end

-- The value of Allow for a path; nothing if there is no such path.
local function allowed_verbs(handle, path)
  for _, known in ipairs(handle:metadata():get("paths") or {}) do
    if string.find(path, known.pattern) then return known.allow end
  end
end

-- It cannot tell an unknown path from a wrong verb; the path table can.
local function on_unknown_path(handle, verb, path, request_id)
  if is_method(handle) then
    local message = "The path is a gRPC method's: send application/grpc or application/grpc-web."
    return send(handle, 415, failure("UNSUPPORTED_MEDIA_TYPE", message, {}, request_id))
  end
  local allow = allowed_verbs(handle, path)
  if not allow then
    local message = "There is no such resource."
    return send(handle, 404, failure("NOT_FOUND", message, {}, request_id))
  end
  handle:headers():replace("allow", allow)
  if verb == "OPTIONS" then return send_empty(handle, 204) end
  local message = verb .. " is not allowed here."
  send(handle, 405, failure("METHOD_NOT_ALLOWED", message, {}, request_id))
end

-- To HEAD Envoy's answer has no body, so the transcoder's message is not known here: if the
-- path answers to HEAD, it was a query that does not fit.
local function on_failed_head(handle, path)
  local headers = handle:headers()
  local allow = allowed_verbs(handle, path)
  if is_method(handle) or string.find(allow or "", "HEAD", 1, true) then
    headers:replace(":status", "422")
  elseif allow then
    headers:replace(":status", "405")
    headers:replace("allow", allow)
  else
    headers:replace(":status", "404")
  end
  headers:replace("content-type", "application/json")
  headers:remove("content-length")
end

-- The field and what is wrong with it; nothing if the request is not even JSON.
local function find_misfit(message)
  local unknown = string.match(message, '^Could not find field "(.-)"')
    or string.match(message, '^Encountered a non%-leaf field "(.-)"')
  if unknown then return unknown, "UNKNOWN_PARAMETER", "There is no such parameter." end
  local path, found = string.match(message, "^([%w_.%[%]]*): invalid value (.*)$")
  if path == "" then
    path = string.match(found, "Cannot set '([%w_]+)'") or string.match(found, "([%w_]+)$") or ""
  end
  if path then
    -- The transcoder does not count the items of a list: its index is always 0.
    path = string.gsub(path, "%[%d+%]", "")
    return path, "INVALID_TYPE", "The value does not fit the type of the field."
  end
  if string.find(message, "not repeating", 1, true) then
    return "", "INVALID_TYPE", "A list stands where the field holds one value."
  end
  if string.find(message, "Root element must be", 1, true) then
    return "", "INVALID_TYPE", "The body must be a JSON object."
  end
end

local function on_transcoder_failure(handle, verb, request_id)
  local path = string.match(handle:headers():get("x-edge-path") or "", "^[^?]*")
  if verb == "HEAD" then return on_failed_head(handle, path) end
  local message = read_body(handle)
  if string.find(message, "^Could not resolve") then
    return on_unknown_path(handle, verb, path, request_id)
  end
  local field, code, problem = find_misfit(message)
  if field then
    local details = field ~= "" and { detail(camel(field), code, problem) } or {}
    local text = "The request is not valid."
    return send(handle, 422, failure("VALIDATION_ERROR", text, details, request_id))
  end
  local text = "The request is malformed: its body must be JSON in UTF-8."
  send(handle, 400, failure("MALFORMED_REQUEST", text, {}, request_id))
end

-- google.rpc.Status in protobuf's wire format, for gRPC callers whom Envoy refuses itself. ------

local function varint(value)
  if value < 0x80 then return string.char(value) end
  return string.char(0x80 + value % 0x80) .. varint(math.floor(value / 0x80))
end

local function nested(number, bytes)
  return varint(number * 8 + 2) .. varint(#bytes) .. bytes
end

local function packed(kind, message)
  return nested(3, nested(1, "type.googleapis.com/google.rpc." .. kind) .. nested(2, message))
end

-- The details of Status: ErrorInfo, and RetryInfo where the refusal says when to come back.
local function on_refused_call(headers, reason, handle)
  local status = tonumber(headers:get("grpc-status"))
  local details = packed("ErrorInfo", nested(1, reason) .. nested(2, "portico"))
  local seconds = tonumber(headers:get("retry-after") or "")
  if seconds then
    details = details .. packed("RetryInfo", nested(1, "\8" .. varint(seconds)))
  end
  local message = nested(2, headers:get("grpc-message") or "")
  local encoded = handle:base64Escape("\8" .. varint(status) .. message .. details)
  headers:replace("grpc-status-details-bin", encoded)
end

-- What is not from the core has its shape already; what is not JSON is for gRPC callers.
-- An answer that comes before the request is complete has no time of service, but a status.
local function is_enveloped(headers)
  return headers:get("content-type") == "application/json"
    and (headers:get("x-envoy-upstream-service-time") or headers:get("grpc-status")) ~= nil
end

-- Everything is read before the body: waiting for it ends the life of these objects.
local function on_response(handle)
  local headers = handle:headers()
  local request_id = headers:get("x-request-id")
  local fault = headers:get("x-edge-fault")
  if fault then return on_transcoder_failure(handle, fault, request_id) end
  local reason = headers:get("x-error-code")
  if reason and headers:get("grpc-status") then return on_refused_call(headers, reason, handle) end
  if not is_enveloped(headers) then return end
  local route = handle:metadata()
  local shape = { status = route:get("status"), list = route:get("list"), field = route:get("field") }
  local status = tonumber(headers:get(":status"))
  headers:remove("grpc-status")
  headers:remove("grpc-message")
  if status >= 400 then return on_error(handle, status, request_id) end
  if not route:get("raw") then on_success(handle, shape, request_id) end
end

-- Fails closed: after a mistake in here the core's answer must not go out as it is.
function envoy_on_response(handle)
  local done, problem = pcall(on_response, handle)
  if done then return end
  handle:logErr(problem)
  pcall(send, handle, 500, failure("INTERNAL", INTERNAL_MESSAGE, {}, ""))
end
