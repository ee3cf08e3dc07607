-- check_request: an idempotency key stands for one request, as long as its id is reserved. The id of
-- a job, or of the first job of a batch, is derived from the key.
-- include: job_keys, retention

local function keep_request(id, hash) call('SET', key_request(id), hash, 'EX', id_reserved_s) end

-- Why a job with this id is refused, or nil. `earlier` has the same id in the same call.
local function refused_request(id, hash, earlier)
  local kept = earlier and earlier.requestHash or hash and call('GET', key_request(id))
  if not hash or not kept or kept == hash then return nil end
  return { reason = 'other_request', id = call('GET', key_used_id(id)) or id }
end
