-- delete: any -> deleted; a job that runs is asked to stop, and the script that ends it deletes it.
-- One script, so that a job that ends meanwhile is deleted by one of the two.
-- KEYS[1]  root  string  the namespace
-- ARGV[1]  id    string  the job
-- Answers  {'deleted'}    its record and its log are removed; a tombstone stays for a day
--          {'requested'}  it is asked to stop, and is deleted when it has
--          {'already'}    only a tombstone is left; nothing is written
--          {'gone'}       no such job
-- flags: allow-oom
-- include: read_job, job_status, stop_job, bury_job, write_changes, job_keys, clock

local id = ARGV[1]
local job = read_job(id)
if not job then return { 'gone' } end
if job.status == 'deleted' then return { 'already' } end

local now = now_ms()
if is_running(job) then
  call('HSET', key_job(id), 'deleting', 1)
  if job.status == 'running' then stop_job(id, job, {}, now) end
  write_changes()
  return { 'requested' }
end
if job.status == 'waiting' then
  job.deleting = true
  stop_job(id, job, {}, now)
else
  bury_job(id, job, now)
end
write_changes()
return { 'deleted' }
