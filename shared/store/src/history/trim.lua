-- trim: removes the oldest jobs that are over from the history, and workers that are long gone from
-- the list.
-- One script, so that a record goes with all its indexes. The indexes by status are ordered by
-- scheduledAt: a job that was due long ago and ended recently stays until its own time has passed,
-- and holds up no more than a few behind it.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  age       int     jobs that ended longer ago are removed, ms; '' for no such limit
-- ARGV[2]  keep      int     so many jobs that are over stay; '' for no such limit
-- ARGV[3]  listed    int     workers whose last heartbeat is longer ago are removed, ms
-- ARGV[4]  max       int     how many to remove at most
-- ARGV[5…] statuses  string  those that are final
-- Answers  {'trimmed', jobs, workers}
-- flags: allow-oom
-- include: read_job, remove_job, job_keys, worker_keys, clock, digits

local now, most = now_ms(), tonumber(ARGV[4])
local oldest, count = {}, 0
for i = 5, #ARGV do
  local key = key_status(ARGV[i])
  count = count + call('ZCARD', key)
  local found = call('ZRANGE', key, 0, most - 1, 'WITHSCORES')
  for j = 1, #found, 2 do oldest[#oldest + 1] = { id = found[j], at = tonumber(found[j + 1]) } end
end
table.sort(oldest, function(a, b) return a.at < b.at end)
local too_many = ARGV[2] ~= '' and count - tonumber(ARGV[2]) or 0
local ended_before = ARGV[1] ~= '' and now - ARGV[1] or -1
local departed = call('ZRANGE', root .. 'workers', '-inf', now - ARGV[3], 'BYSCORE', 'LIMIT', 0,
  most)

local jobs, workers = 0, 0
for _, old in ipairs(oldest) do
  if jobs == most then break end
  local finished = tonumber(call('HGET', key_job(old.id), 'finishedAt'))
  if finished and (jobs < too_many or finished <= ended_before) then
    remove_job(old.id, read_job(old.id))
    jobs = jobs + 1
  end
end
for _, worker in ipairs(departed) do
  -- A worker whose jobs the lease reaper has not ended yet stays.
  if not call('ZSCORE', root .. 'leases', worker) then
    call('DEL', key_worker(worker))
    call('ZREM', root .. 'workers', worker)
    workers = workers + 1
  end
end
return { 'trimmed', digits(jobs), digits(workers) }
