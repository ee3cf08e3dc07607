-- move_job: moves a job between the indexes by status and emits the event. The caller writes the
-- record. The event of a start says since when the job was due, and that of a change of a run when
-- the run started: its own time tells how long that took. Both have the class, unless it is that of
-- a job that names no capacity.
-- include: job_keys, job_status, count_waiting, members, emit_job

local function move_job(id, job, to, worker, token)
  if (job.status == 'waiting') ~= (to == 'waiting') then
    count_waiting(id, job, to == 'waiting' and 1 or -1)
  end
  remove_member(key_status(job.status), id)
  add_member(key_status(to), job.scheduledAt, id)
  local since = to == 'running' and job.scheduledAt or is_running(job) and job.startedAt
  local class = job.class ~= 'default=1' and job.class or ''
  emit_job(id, job.number, job.action, to, worker, token, class, since or '')
  job.status = to
end
