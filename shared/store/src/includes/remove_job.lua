-- remove_job: removes a job that is over, with its log, its checkpoint, its signals and its entries
-- in all indexes.
-- include: job_keys, checkpoint_keys, signal_keys, relation_keys, members

local function remove_job(id, job)
  call('UNLINK', key_job(id), key_log(id), key_checkpoint(id), key_signal(id),
    key_early_signals(id))
  remove_member(root .. 'jobs:number', id)
  remove_member(key_status(job.status), id)
  remove_member(key_action(job.action), id)
  if job.worker then remove_member(key_jobs_of(job.worker), id) end
  if job.firstID or job.followUpID then call('ZREM', key_chain(job.firstID or id), id) end
  if job.parentGroup then call('ZREM', key_child_jobs(job.parentGroup), id) end
end
