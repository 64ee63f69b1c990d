-- Brings the few requests that need it into the form that the filters below expect.
--
-- Envoy runs it only where listeners.py sees a path with bytes that are not
-- ASCII, a credential that is not in the form of our tokens, or HEAD: a script for
-- every request would cost each of them a coroutine.

-- RFC 3629, longest sequences first; a space keeps what is left from joining.
local UTF8_SEQUENCES = {
  "\240[\144-\191][\128-\191][\128-\191]", "[\241-\243][\128-\191][\128-\191][\128-\191]",
  "\244[\128-\143][\128-\191][\128-\191]", "\224[\160-\191][\128-\191]",
  "[\225-\236\238\239][\128-\191][\128-\191]", "\237[\128-\159][\128-\191]",
  "[\194-\223][\128-\191]",
}

-- Protobuf text is UTF-8; the core could not even read a message with anything else.
local function is_utf8(path)
  if not string.find(path, "%%[89A-Fa-f]") then return true end
  local text = string.gsub(path, "%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  for _, sequence in ipairs(UTF8_SEQUENCES) do text = string.gsub(text, sequence, " ") end
  return not string.find(text, "[\128-\255]")
end

-- HEAD is answered like GET, to whose method the transcoder binds it. Answers pass the script
-- even if their request never came this far, so that their verb is noted.
local VERB = "portico.verb"

local function note_head(handle, headers)
  local mark = headers:get("accept-encoding") and "compressible" or "plain"
  handle:streamInfo():dynamicMetadata():set(VERB, "head", mark)
end

local OAUTH = "/oauth/"

-- SECRET_PREFIXES is set by who loads this.
local function is_secret(credential)
  for _, prefix in ipairs(SECRET_PREFIXES) do
    if string.sub(credential, 1, #prefix) == prefix then return true end
  end
  return false
end

-- Only edge/authorize sees certificates. CERTIFICATE_MARKS are what the claim looks like in base64,
-- by where it begins; a token that looks so by chance is refused there, and would be one of ours.
local function is_bound_to_certificate(headers, credential)
  if not headers:get("client-cert") then return false end
  for _, mark in ipairs(CERTIFICATE_MARKS) do
    if string.find(credential, mark, 1, true) then return true end
  end
  return false
end

function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:get(":method") == "HEAD" then note_head(handle, headers) end
  -- CONNECT has no path.
  if not is_utf8(headers:get(":path") or "") then
    return handle:respond({ [":status"] = "400" }, "")
  end
  local authorization = headers:get("authorization")
  if not authorization then return end
  -- The endpoints of OAuth read it themselves, in the schemes of their standards.
  if string.sub(headers:get(":path") or "", 1, #OAUTH) == OAUTH then return end
  local scheme, credential = string.match(authorization, "^(%a+) +(.+)$")
  if scheme and string.lower(scheme) == "dpop" then
    -- RFC 9449: edge/authorize looks at the token and at its proof.
    local well_formed = not string.find(credential, "[^%w%-._~+/=]")
    headers:replace("x-edge-dpop", well_formed and credential or "malformed")
    headers:remove("authorization")
  elseif not scheme or string.lower(scheme) ~= "bearer" then
    -- Another scheme, or several fields, which Envoy joins: the filter that verifies tokens
    -- would find one anywhere in it.
    headers:remove("authorization")
  elseif string.find(credential, "[^%w%-._~+/=]") then
    -- RFC 6750: a token has no spaces and commas. What the filter leaves of this is none.
    headers:replace("authorization", "Bearer malformed")
  elseif is_secret(credential) then
    headers:replace("x-api-key", credential)
    headers:remove("authorization")
  elseif is_bound_to_certificate(headers, credential) then
    headers:replace("x-edge-dpop", credential)
    headers:remove("authorization")
  else
    -- RFC 9110, section 11.4: the name of a scheme has no case, and more than one space may follow.
    headers:replace("authorization", "Bearer " .. credential)
  end
end

-- Gives HEAD the headers that GET would get, and keeps the body back.
function envoy_on_response(handle)
  local mark = handle:streamInfo():dynamicMetadata():get(VERB)
  if not mark then return end
  local length = handle:headers():get("content-length")
  local body = handle:body()
  -- A length must be that of GET's content (RFC 9110, section 8.6), which would be compressed
  -- where an answer of Envoy itself, that has no body to compress, is not.
  if not body and mark.head == "compressible" then length = nil end
  if body then body:setBytes("") end
  -- Waiting for the body has ended the life of the headers' wrapper, and setBytes has set a length.
  local headers = handle:headers()
  if length then headers:replace("content-length", length) else headers:remove("content-length") end
end
