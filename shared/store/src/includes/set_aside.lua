-- set_aside: ends the run of a job whose record makes the script that should end it fail: in
-- `error`, with the reason and without a follow-up. Each part is attempted, because any of them may
-- be what fails. An end that was written before the failure stays.
-- include: try_step, read_job, job_status, end_job, end_run

local function set_aside(id, why, now)
  local job = try_step(read_job, id)
  if not job or job.status == 'waiting' then return end
  if is_running(job) then
    local message = 'the record of the job cannot be read: ' .. why
    local exception = cjson.encode({ type = 'UnreadableJob', message = message })
    try_step(end_job, id, job, 'error', { 'exception', exception }, now)
  end
  try_step(release_run, id, job, now)
end
