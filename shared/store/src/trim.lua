-- trim: the oldest jobs that are over leave the history, and workers that are long gone leave the list.
-- One script, so that a record goes with all its indexes. The indexes by status are in the order of scheduledAt: a job
-- that was due long ago and ended lately stays until its own time is over, and holds up no more than a few behind it.
-- KEYS[1]  root    string  the namespace
-- ARGV[1]  age     int     jobs that ended longer ago go, ms; '' for no such limit
-- ARGV[2]  keep    int     so many jobs that are over stay; '' for no such limit
-- ARGV[3]  listed  int     workers that were last heard of longer ago go, ms
-- ARGV[4]  max     int     how many to remove at most
-- ARGV[5…] the statuses that are final
-- Answers  {'trimmed', jobs, workers}

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
local gone = call('ZRANGE', root .. 'workers', '-inf', now - ARGV[3], 'BYSCORE', 'LIMIT', 0, most)

local jobs, workers = 0, 0
for _, old in ipairs(oldest) do
  if jobs == most then break end
  local finished = tonumber(call('HGET', key_job(old.id), 'finishedAt'))
  if finished and (jobs < too_many or finished <= ended_before) then
    remove(old.id, record(old.id))
    jobs = jobs + 1
  end
end
for _, worker in ipairs(gone) do
  -- One whose jobs the reaper has not ended yet stays.
  if not call('ZSCORE', root .. 'leases', worker) then
    call('DEL', key_worker(worker))
    call('ZREM', root .. 'workers', worker)
    workers = workers + 1
  end
end
return { 'trimmed', text(jobs), text(workers) }
