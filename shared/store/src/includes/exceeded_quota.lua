-- exceeded_quota: how much an owner may have waiting: jobs, and bytes of their specs. The settings
-- of the namespace may set other quotas; 0 is none. Retries and follow-ups of a run are never
-- refused, but counted.
-- include: count_waiting, digits

local default_quotas = { 1000000, 1073741824 }
local quotas = nil

-- The answer that refuses a number of further jobs and bytes of an owner; nil when there is room. An
-- amount of zero is never refused.
local function exceeded_quota(owner, jobs, bytes)
  quotas = quotas or call('HMGET', root .. 'settings', 'maxWaitingJobs', 'maxWaitingBytes')
  local waiting = read_waiting(owner)
  local wanted = { { 'jobs', waiting.jobs, jobs }, { 'bytes', waiting.bytes, bytes } }
  for i, quota in ipairs(wanted) do
    local most = tonumber(quotas[i] or default_quotas[i])
    if most > 0 and quota[3] > 0 and quota[2] + quota[3] > most then
      return { 'quota_exceeded', owner, quota[1], digits(quota[2]), digits(most) }
    end
  end
end
