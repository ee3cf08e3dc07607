-- close_job: a job is over and no follow-up carries it on: notes what that means to other jobs.
-- include: note_end, relation_keys

local function close_job(id, job, to)
  if job.next and call('EXISTS', key_dependents(id)) == 1 then
    note_end('dependents', id, outcome_of(to))
  end
  if job.parentGroup and call('ZSCORE', key_children(job.parentGroup), id) then
    note_end('child', id, job.parentGroup, outcome_of(to))
  end
  if not job.childGroup then return end
  call('HDEL', root .. 'parents', job.childGroup)
  if to == 'cancel' and call('EXISTS', key_children(job.childGroup)) == 1 then
    call('RENAME', key_children(job.childGroup), key_stopping(job.childGroup))
    note_end('stop', job.childGroup)
  else
    call('UNLINK', key_children(job.childGroup))
  end
end
