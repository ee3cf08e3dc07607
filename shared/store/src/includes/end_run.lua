-- end_run: ends the run of a job, and takes the job from its worker.
-- include: end_job, free_locks, members, worker_keys

local function release_run(id, job, now)
  remove_from_set(key_running(job.worker), id)
  if job.holds then free_locks(id, job, now) end
end

local function end_run(id, job, to, fields, now)
  end_job(id, job, to, fields, now)
  release_run(id, job, now)
end
