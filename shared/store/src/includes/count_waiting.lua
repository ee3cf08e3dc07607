-- count_waiting: how many jobs of each owner wait, and the bytes of their specs: in the hash
-- `waiting`, as `jobs:<owner>` and `bytes:<owner>`. A script that creates, starts or ends jobs
-- calls record_waiting last, which writes what has changed once per owner.
-- include: job_keys, digits

local waiting_of, owners_changed = {}, {}

-- What an owner has waiting now.
local function read_waiting(owner)
  if not waiting_of[owner] then
    local counts = call('HMGET', root .. 'waiting', 'jobs:' .. owner, 'bytes:' .. owner)
    waiting_of[owner] = { jobs = tonumber(counts[1] or 0), bytes = tonumber(counts[2] or 0) }
  end
  return waiting_of[owner]
end

-- `jobs` more of these jobs wait: 1, or -1 for one that does not wait any more.
local function count_waiting(id, job, jobs)
  local owner = job.owner or ''
  local counts = read_waiting(owner)
  counts.jobs = counts.jobs + jobs
  counts.bytes = counts.bytes + jobs * (job.bytes or call('HSTRLEN', key_job(id), 'spec'))
  owners_changed[owner] = counts
end

local function record_waiting()
  for owner, counts in pairs(owners_changed) do
    local jobs, bytes = 'jobs:' .. owner, 'bytes:' .. owner
    if counts.jobs == 0 then
      call('HDEL', root .. 'waiting', jobs, bytes)
    else
      call('HSET', root .. 'waiting', jobs, digits(counts.jobs), bytes, digits(counts.bytes))
    end
  end
  owners_changed = {}
end
