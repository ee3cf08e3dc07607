-- end_waiting: ends a job that waits, wherever it waits. A claim refuses an offer that is still on
-- its way.
-- include: end_job, withdraw_job, withdraw_offer, members, job_keys

local function end_waiting(id, job, to, fields, now)
  if job.blockers or job.awaitsChildren or job.awaitedSignal then
    call('HDEL', key_job(id), 'blockers', 'awaitsChildren', 'continuesAs')
  else
    withdraw_job(id, job, now)
    refill_offers(now)
  end
  if job.expiresAt or job.awaitedSignal then remove_member(root .. 'expiring', id) end
  end_job(id, job, to, fields, now)
end
