-- trim: removes the oldest jobs that are over from the history, and workers that are long gone from
-- the list.
-- One script, so that a record goes with all its indexes. The indexes by status are ordered by
-- scheduledAt, and most jobs end in that order. One that ended long ago may stand behind many that
-- have just ended, so each call also sweeps a part of all jobs, by number: the next call goes on
-- from there.
-- KEYS[1]  root      string  the namespace
-- ARGV[1]  age       int     jobs that ended longer ago are removed, ms; '' for no such limit
-- ARGV[2]  keep      int     so many jobs that are over stay; '' for no such limit
-- ARGV[3]  listed    int     workers whose last heartbeat is longer ago are removed, ms
-- ARGV[4]  max       int     how many to remove at most
-- ARGV[5]  swept     int     the number of the job that the last call has swept last, 0 to begin
-- ARGV[6…] statuses  string  those that are final
-- Answers  {'trimmed', jobs, workers, swept}
-- flags: allow-oom
-- include: oldest_jobs, read_job, remove_job, write_changes, job_keys, worker_keys, clock, digits

-- Every job is swept once in so many calls, unless there are more than 720,000.
local calls_per_sweep, most_swept = 720, 1000

local now, most, swept = now_ms(), tonumber(ARGV[4]), ARGV[5]
local oldest, count = oldest_jobs({ unpack(ARGV, 6) }, most)
local too_many = ARGV[2] ~= '' and count - tonumber(ARGV[2]) or 0
local ended_before = ARGV[1] ~= '' and now - ARGV[1] or -1
local part = math.ceil(call('ZCARD', root .. 'jobs:number') / calls_per_sweep)
part = ARGV[1] == '' and 0 or math.min(math.max(part, most), most_swept)
local sweep = call('ZRANGE', root .. 'jobs:number', '(' .. swept, '+inf', 'BYSCORE', 'LIMIT', 0,
  part, 'WITHSCORES')
local departed = call('ZRANGE', root .. 'workers', '-inf', now - ARGV[3], 'BYSCORE', 'LIMIT', 0,
  most)

local jobs, workers = 0, 0
local function remove(id, any)
  local finished = tonumber(call('HGET', key_job(id), 'finishedAt'))
  if finished and (any or finished <= ended_before) then
    remove_job(id, read_job(id))
    jobs = jobs + 1
  end
end
for _, id in ipairs(oldest) do
  if jobs < most then remove(id, jobs < too_many) end
end
for i = 1, #sweep, 2 do
  if jobs < most then
    remove(sweep[i], false)
    swept = sweep[i + 1]
  end
end
if #sweep < 2 * part and jobs < most then swept = '0' end
for _, worker in ipairs(departed) do
  -- A worker whose jobs the lease reaper has not ended yet stays.
  if not call('ZSCORE', root .. 'leases', worker) then
    call('DEL', key_worker(worker))
    call('ZREM', root .. 'workers', worker)
    workers = workers + 1
  end
end
-- Keys of rate limits whose permits are all restored.
call('ZREMRANGEBYSCORE', root .. 'rates', '-inf', digits(now))
-- Keys of calendar limits whose window has ended.
local over = call('ZRANGE', root .. 'calendar:ends', '-inf', digits(now), 'BYSCORE', 'LIMIT', 0, 5000)
if #over > 0 then
  call('HDEL', root .. 'calendar:used', unpack(over))
  call('ZREM', root .. 'calendar:ends', unpack(over))
end
write_changes()
return { 'trimmed', digits(jobs), digits(workers), swept }
