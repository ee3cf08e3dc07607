-- unfinished_jobs: the jobs of a cron, or those that carry them on, that are not over yet.
-- include: job_keys, cron_job_keys

-- How many jobs of a cron one step looks at.
local most_looked_at = 100

-- The one of this job and its follow-ups that is not over.
local function unfinished_job(id)
  local unfinished = { waiting = true, running = true, cancel_request = true }
  while id do
    local job = call('HMGET', key_job(id), 'status', 'followUpID')
    if unfinished[job[1]] then return id end
    id = job[2]
  end
end

-- Those of these jobs of a cron that are not over; the others are forgotten.
local function unfinished_jobs(name, ids)
  local found = {}
  for _, id in ipairs(ids) do
    local current = unfinished_job(id)
    if current ~= id then
      call('SREM', key_cron_jobs(name), id)
      if current then call('SADD', key_cron_jobs(name), current) end
    end
    if current then found[#found + 1] = current end
  end
  return found
end

-- Some jobs of a cron that are not over. When all that were looked at are over and others are left
-- for the next step, the list is { false }: not empty, because one of those may not be over.
local function some_unfinished(name)
  local found = unfinished_jobs(name, call('SRANDMEMBER', key_cron_jobs(name), most_looked_at))
  if #found == 0 and call('SCARD', key_cron_jobs(name)) > 0 then return { false } end
  return found
end
