-- delete: any -> deleted; one that runs is asked to stop first, and is deleted by the script that ends it.
-- One script, so that a job that ends meanwhile is deleted by one of the two.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  id    string  the job
-- Answers  {'deleted'}    its record and its log are gone, a tombstone stays for a day
--          {'requested'}  it is asked to stop and then goes
--          {'already'}    there is only a tombstone; nothing is written
--          {'gone'}       no such job

local id = ARGV[1]
local job = record(id)
if not job then return { 'gone' } end
if job.status == 'deleted' then return { 'already' } end

local now = now_ms()
if is_running(job) then
  call('HSET', key_job(id), 'deleting', 1)
  if job.status == 'running' then stop(id, job, {}, now) end
  return { 'requested' }
end
if job.status == 'waiting' then
  job.deleting = true
  stop(id, job, {}, now)
else
  bury(id, job, now)
end
return { 'deleted' }
