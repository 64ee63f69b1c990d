-- Answers HEAD with the headers that GET would get, and without the body.
--
-- Envoy runs it only for HEAD. What the filters below answered is GET's answer,
-- for the transcoder binds HEAD to the same method; see edge/gateway/transcoding.py.

local MARK = "portico.head"

-- Answers pass the filter even if their request never came this far, whatever its verb was.
function envoy_on_request(handle)
  local mark = handle:headers():get("accept-encoding") and "compressible" or "plain"
  handle:streamInfo():dynamicMetadata():set(MARK, "asked", mark)
end

function envoy_on_response(handle)
  local mark = handle:streamInfo():dynamicMetadata():get(MARK)
  if not mark then return end
  local length = handle:headers():get("content-length")
  local body = handle:body()
  -- A length must be that of GET's content (RFC 9110, section 8.6), which would be compressed
  -- where an answer of Envoy itself, that has no body to compress, is not.
  if not body and mark.asked == "compressible" then length = nil end
  if body then body:setBytes("") end
  -- Waiting for the body has ended the life of the headers' wrapper, and setBytes has set a length.
  local headers = handle:headers()
  if length then headers:replace("content-length", length) else headers:remove("content-length") end
end
