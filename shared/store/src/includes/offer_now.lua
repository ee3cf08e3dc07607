-- offer_now: offers a job through the queue it is assigned to, however many of its fairness group
-- are offered already.
-- include: publish, queue_of

local function offer_now(id, job, now)
  call('HINCRBY', root .. 'offered', group_of(job), 1)
  publish(id, job, now)
end
