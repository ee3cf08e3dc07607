-- expire_lease: running -> worker_dead, cancel_request -> cancel, for jobs of a worker whose lease
-- has ended.
-- One script, so that the end of a job and the follow-up that carries it on are one step. A job
-- whose record cannot be read ends in `error`, and holds up no other. A worker
-- with more jobs than the call has ids for stays listed for the next call; with its last job the
-- lease goes.
-- KEYS[1]  root     string  the namespace
-- ARGV[1]  worker   string  the worker
-- ARGV[2…] ids      string  for follow-ups, at least one; as many jobs are ended at most
-- Answers  {'alive'}                 the lease is good, or there is none; nothing is written
--          {'expired', ended, left}  how many jobs were ended, and how many are left
-- flags: allow-oom
-- include: read_job, job_status, lose_run, count_actions, write_changes, emit, try_step, set_aside
-- include: worker_keys, clock, digits

local worker, now = ARGV[1], now_ms()
local expiration = tonumber(call('ZSCORE', root .. 'leases', worker))
if not expiration or expiration > now then return { 'alive' } end

local ended = 0
local function expire(id, new_id)
  local job = read_job(id)
  if not job or job.worker ~= worker or not is_running(job) then
    return call('SREM', key_running(worker), id)
  end
  ended = ended + 1
  lose_run(id, job, new_id, 'the lease of worker ' .. worker .. ' ended', now)
end

local known = call('HMGET', key_worker(worker), 'status', 'actions')
if known[1] ~= 'dead' then
  call('HSET', key_worker(worker), 'status', 'dead')
  if known[1] == 'running' then uncount_worker(known[2]) end
  emit('worker', worker, 'status', 'dead')
end
local ids = call('SRANDMEMBER', key_running(worker), #ARGV - 1)
for i, id in ipairs(ids) do
  local _, why = try_reported(id, expire, id, ARGV[1 + i])
  if why then
    set_aside(id, why, now)
    call('SREM', key_running(worker), id)
  end
end
write_changes()
local left = call('SCARD', key_running(worker))
if left == 0 then call('ZREM', root .. 'leases', worker) end
return { 'expired', digits(ended), digits(left) }
