-- offer_by_action: a worker was offered a job of an action that it does not know, because it has
-- joined since. The job is offered again at once, to the workers that know it.
-- include: route, offer, offer_now, withdraw_offer, wait_queue, wake_waiters, words_in

local function offer_by_action(id, job, now)
  if job.actionQueue or not withdraw_offer(id, job) then return end
  route_by_action(job)
  -- A job with a place in a wait queue was granted its locks: it goes before the backlog.
  if job.awaitedLocks and assign_queue(id, job, now) then return offer_now(id, job, now) end
  -- When there is no room for the queue, the locks go to the next waiters.
  local locks = words_in(job.awaitedLocks)
  for _, name in ipairs(locks) do stop_waiting_for(id, job, name) end
  offer(id, job, now)
  for _, name in ipairs(locks) do wake_waiters(name, now) end
end
