-- expire_lease: running -> worker_dead, cancel_request -> cancel, for jobs of a worker whose lease
-- has ended.
-- One script, so that the end of a job and the follow-up that carries it on are one step. A job
-- whose record cannot be read ends in `error`, and holds up no other. A worker
-- with more jobs than the call has ids for stays listed for the next call; with its last job the
-- lease goes.
-- KEYS[1]  root     string  the namespace
-- ARGV[1]  worker   string  the worker
-- ARGV[2]  crashes  int     how many worker deaths in a row a job survives
-- ARGV[3…] ids      string  for follow-ups, at least one; as many jobs are ended at most
-- Answers  {'alive'}                 the lease is good, or there is none; nothing is written
--          {'expired', ended, left}  how many jobs were ended, and how many are left
-- flags: allow-oom
-- include: read_job, follow_up, end_run, count_actions, emit, try_step, set_aside
-- include: job_keys, worker_keys, clock, digits

local worker, most, now = ARGV[1], tonumber(ARGV[2]), now_ms()
local expiration = tonumber(call('ZSCORE', root .. 'leases', worker))
if not expiration or expiration > now then return { 'alive' } end

local function expire(id, new_id)
  local job = read_job(id)
  if not job or job.worker ~= worker then return call('SREM', key_running(worker), id) end
  if job.status == 'cancel_request' then return end_run(id, job, 'cancel', {}, now) end
  local fields = {
    'exception', '{"type":"WorkerDead","message":"the lease of worker ' .. worker .. ' ended"}',
  }
  if job.crashes < most and call('HGET', key_job(id), 'onWorkerLost') ~= 'fail' then
    fields[3], fields[4] = 'followUpID', new_id
    local changes = { retriesLeft = job.retriesLeft, crashes = job.crashes + 1, delay_ms = 0 }
    follow_up(id, job, new_id, changes, now)
  end
  end_run(id, job, 'worker_dead', fields, now)
end

local known = call('HMGET', key_worker(worker), 'status', 'actions')
if known[1] ~= 'dead' then
  call('HSET', key_worker(worker), 'status', 'dead')
  if known[1] == 'running' then uncount_worker(known[2]) end
  emit('worker', worker, 'status', 'dead')
end
local ids = call('SRANDMEMBER', key_running(worker), #ARGV - 2)
for i, id in ipairs(ids) do
  local _, why = try_reported(id, expire, id, ARGV[2 + i])
  if why then
    set_aside(id, why, now)
    call('SREM', key_running(worker), id)
  end
end
local left = call('SCARD', key_running(worker))
if left == 0 then call('ZREM', root .. 'leases', worker) end
return { 'expired', digits(#ids), digits(left) }
