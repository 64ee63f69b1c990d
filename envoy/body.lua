-- Refuses what a request says that its method does not understand, before anything is
-- decided about it: bodies that are no JSON, unknown names, values of other types, query
-- parameters that the body or the path should hold.
--
-- The transcoder below passes over unknown names and takes many things for JSON. Envoy runs
-- this script only for requests that write or have a query (bodies.py), after the limit by
-- address and before the transcoder. Where no method is found nothing is checked: the
-- transcoder knows the same paths and refuses them.
--
-- For a PATCH it also writes the names that stood in the body, those with null included,
-- into the field that the contract has for them (AIP-134): a message of protobuf cannot tell
-- null from nothing.
--
-- LUA_DIR is set by who loads it. Nothing here names a method: contract.lua is generated.

local contract = dofile(LUA_DIR .. "/contract.lua")
local strict_json = dofile(LUA_DIR .. "/strict_json.lua")

local MAX_SHOWN_BYTES = 100

-- The method of a request ---------------------------------------------------------

local function segments_of(path)
  local segments = {}
  for segment in string.gmatch(path, "[^/]+") do segments[#segments + 1] = segment end
  return segments
end

-- The paths as a tree of segments; made once, when Envoy starts.
local function path_tree(methods)
  local root = {}
  for _, method in ipairs(methods) do
    local node = root
    for _, segment in ipairs(segments_of(method.path)) do
      if string.sub(segment, 1, 1) == "{" then
        node.variable = node.variable or {}
        node = node.variable
      else
        node.literals = node.literals or {}
        node.literals[segment] = node.literals[segment] or {}
        node = node.literals[segment]
      end
    end
    node.methods = node.methods or {}
    node.methods[method.verb] = method
  end
  return root
end

local PATHS = path_tree(contract.methods)

-- Literal segments come before variables, as in the transcoder. A path that is literal has no
-- verbs but its own, as in the routes: false stands for a wrong one, nil for no such path.
local function find_method(node, segments, at, verb)
  local segment = segments[at]
  if not segment then return node.methods and (node.methods[verb] or false) end
  local literal = node.literals and node.literals[segment]
  local found = literal and find_method(literal, segments, at + 1, verb)
  if found or found == false or not node.variable then return found end
  return find_method(node.variable, segments, at + 1, verb)
end

local function method_of(verb, path)
  return find_method(PATHS, segments_of(path), 1, verb)
end

-- Answers ---------------------------------------------------------------------------

local function quote(text)
  local escaped = string.gsub(text, '[%c"\\]', function(c)
    return string.format("\\u%04x", string.byte(c))
  end)
  return '"' .. escaped .. '"'
end

local function detail(problem)
  return '{"field":' .. quote(problem.field) .. ',"code":' .. quote(problem.code)
    .. ',"message":' .. quote(problem.message) .. "}"
end

-- Replies in the error shape; replies.py knows the header and leaves the body alone.
local function refuse(handle, status, code, message, problems, more)
  local details = {}
  for _, problem in ipairs(problems or {}) do details[#details + 1] = detail(problem) end
  local headers = {
    [":status"] = tostring(status),
    ["content-type"] = "application/json",
    ["x-edge-refusal"] = code,
  }
  for name, value in pairs(more or {}) do headers[name] = value end
  local request_id = handle:headers():get("x-request-id") or ""
  handle:respond(headers, '{"success":false,"error":{"code":' .. quote(code)
    .. ',"message":' .. quote(message) .. ',"details":[' .. table.concat(details, ",")
    .. '],"requestId":' .. quote(request_id) .. "}}")
end

local function refuse_fields(handle, problems)
  refuse(handle, 422, "VALIDATION_ERROR", "The request is not valid.", problems)
end

-- What is refused as a whole gets the words that replies.py has for the status.
local function refuse_plainly(handle, status)
  handle:respond({ [":status"] = tostring(status) }, "")
end

-- The query ---------------------------------------------------------------------------

local function decoded(text)
  text = string.gsub(text, "+", " ")
  return (string.gsub(text, "%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- A name as it may be shown: what is not ASCII stays as it was sent, escaped.
local function shown(name)
  local plain = decoded(name)
  if string.find(plain, "[%z\1-\31\127-\255]") then plain = name end
  if plain == "" then return '""' end
  return string.sub(plain, 1, MAX_SHOWN_BYTES)
end

-- Never shows a value: it may be a password that stands in the wrong place.
local function query_problems(method, query)
  local problems, seen = {}, {}
  for parameter in string.gmatch(query, "[^&]+") do
    local name = string.match(parameter, "^[^=]*")
    local known = (method.query or {})[decoded(name)]
    local code, message
    if not known then
      code, message = "UNKNOWN_PARAMETER", "There is no such parameter."
    elseif seen[known] and not known.list then
      code, message = "REPEATED_PARAMETER", "The parameter must not be repeated."
    end
    if code and #problems < 20 then
      problems[#problems + 1] = { field = shown(name), code = code, message = message }
    end
    if known then seen[known] = true end
  end
  return problems
end

-- The body ----------------------------------------------------------------------------

local function is_json(content_type)
  local kind, parameters = string.match(string.lower(content_type or ""), "^%s*([^;%s]*)%s*(.*)$")
  if kind ~= "application/json" then return false end
  return parameters == "" or string.find(parameters, '^;%s*charset="?utf%-8"?%s*;?$') ~= nil
end

-- Accept-Patch is RFC 5789's way to say it, Accept RFC 9110's.
local function refuse_type(handle, verb)
  local name = verb == "PATCH" and "accept-patch" or "accept"
  refuse(handle, 415, "UNSUPPORTED_MEDIA_TYPE", "The body must be application/json.", nil,
    { [name] = "application/json" })
end

-- What the headers alone show to be wrong, before a byte of the body is waited for.
local function refused_by_headers(handle, verb, method)
  local headers = handle:headers()
  local length = tonumber(headers:get("content-length") or "")
  local has_body = (length or 0) > 0 or headers:get("transfer-encoding") ~= nil
  local encoding = headers:get("content-encoding")
  if encoding and string.lower(encoding) ~= "identity" then
    refuse(handle, 415, "UNSUPPORTED_MEDIA_TYPE", "The body must not be encoded.", nil,
      { ["accept-encoding"] = "identity" })
    return true
  end
  if length and length > contract.max_bytes then
    refuse_plainly(handle, 413)
    return true
  end
  if has_body and not method.body then
    refuse(handle, 400, "MALFORMED_REQUEST", "The method does not take a body.")
    return true
  end
  if has_body and not is_json(headers:get("content-type")) then
    refuse_type(handle, verb)
    return true
  end
  return false
end

local function refuse_lack(handle)
  refuse(handle, 422, "BODY_REQUIRED", "The request needs a body.")
end

-- Puts the mask before the last brace, where all names but this one are known to be others.
local function with_mask(text, read)
  local comma = read.empty and "" or ","
  return string.sub(text, 1, read.close - 1) .. comma .. '"updateMask":"'
    .. table.concat(read.mask, ",") .. '"' .. string.sub(text, read.close)
end

local function check_body(handle, method, text, body)
  local read = strict_json.read(text, method.body, method.masked)
  if read.malformed then
    local message = "The request is malformed: its body must be JSON in UTF-8, but "
    return refuse(handle, 400, "MALFORMED_REQUEST", message .. read.malformed .. ".")
  end
  if read.no_object then
    return refuse(handle, 422, "VALIDATION_ERROR", "The body must be a JSON object.")
  end
  if read.problems then return refuse_fields(handle, read.problems) end
  if read.empty and method.replaces then return refuse_lack(handle) end
  if method.masked and #read.mask > 0 then
    local length = body:setBytes(with_mask(text, read))
    handle:headers():replace("content-length", tostring(length))
  end
end

local function on_request(handle)
  local headers = handle:headers()
  local verb, target = headers:get(":method"), headers:get(":path") or ""
  local path, query = string.match(target, "^([^?#]*)%??([^#]*)")
  -- HEAD is bound wherever GET is, and means what GET means there.
  local method = method_of(verb == "HEAD" and "GET" or verb, path)
  if not method then return end
  local problems = query_problems(method, query)
  if method.guarded and not (headers:get("authorization") or headers:get("x-api-key")) then
    -- Who has no credential at all is refused for that, by the filter that does it; without the
    -- parameters, for the transcoder comes first and would complain of them.
    if #problems > 0 then headers:replace(":path", path) end
    return
  end
  if #problems > 0 then return refuse_fields(handle, problems) end
  if refused_by_headers(handle, verb, method) or not method.body then return end
  local content_type = headers:get("content-type")
  -- Waits for all of it; the headers from before are gone then.
  local body = handle:body()
  local length = body and body:length() or 0
  if length == 0 then
    if method.needs_body then refuse_lack(handle) end
    return
  end
  if length > contract.max_bytes then return refuse_plainly(handle, 413) end
  if not is_json(content_type) then return refuse_type(handle, verb) end
  check_body(handle, method, body:getBytes(0, length), body)
end

-- Fails closed: after a mistake in here an unchecked body must not go on.
function envoy_on_request(handle)
  local done, problem = pcall(on_request, handle)
  if done then return end
  handle:logErr(tostring(problem))
  refuse_plainly(handle, 500)
end
