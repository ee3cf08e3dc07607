-- unfinished_jobs: the jobs of a cron that are not over yet.
-- include: job_keys, cron_job_keys

-- How many jobs of a cron one step looks at.
local most_looked_at = 100

-- The first `most` of these jobs of a cron that are not over; those before them that are over are
-- forgotten. None has a follow-up: that has taken its place.
local function unfinished_jobs(name, ids, most)
  local unfinished = { waiting = true, running = true, cancel_request = true }
  local found = {}
  for _, id in ipairs(ids) do
    if #found == most then break end
    if unfinished[call('HGET', key_job(id), 'status')] then
      found[#found + 1] = id
    else
      call('SREM', key_cron_jobs(name), id)
    end
  end
  return found
end

-- Jobs of a cron that are not over, `most` at most. When all that were looked at are over and others
-- are left for the next step, the list is { false }: not empty, because one of those may not be
-- over.
local function some_unfinished(name, most)
  local ids = call('SRANDMEMBER', key_cron_jobs(name), most_looked_at)
  local found = unfinished_jobs(name, ids, most)
  if #found == 0 and call('SCARD', key_cron_jobs(name)) > 0 then return { false } end
  return found
end
