-- waiter_of: a job in a wait queue, the locks that it waits for, and whether it is offered, read
-- once. Whatever changes one of these calls forget_waiter.
-- include: read_job, offered_at, words_in

local known_waiters = {}

local function forget_waiter(id) known_waiters[id] = nil end

local function waiter_of(id)
  if not known_waiters[id] then
    local job = read_job(id)
    known_waiters[id] = {
      job = job, locks = words_in(job.awaitedLocks), is_offered = offered_at(id, job),
    }
  end
  return known_waiters[id]
end
