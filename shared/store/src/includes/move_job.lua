-- move_job: moves a job between the indexes by status and emits the event. The caller writes the
-- record.
-- include: job_keys, count_waiting, members, emit_job

local function move_job(id, job, to, worker, token)
  if (job.status == 'waiting') ~= (to == 'waiting') then
    count_waiting(id, job, to == 'waiting' and 1 or -1)
  end
  remove_member(key_status(job.status), id)
  add_member(key_status(to), job.scheduledAt, id)
  emit_job(id, job.number, job.action, to, worker, token)
  job.status = to
end
