-- queue_of: the queue of a job, what its owner has in that queue, and its fairness group there: the
-- owner's jobs with one fairness key, or those without a key. A job in the queue of its own action
-- says so in its record. The name of a queue and that of an owner have no colon.

-- By class, then by priority.
local known_queues = {}

local function shared_queue_of(job)
  local of_class = known_queues[job.class]
  if not of_class then
    of_class = {}
    known_queues[job.class] = of_class
  end
  local queue = of_class[job.priority]
  if not queue then
    queue = job.class .. '.' .. job.priority
    of_class[job.priority] = queue
  end
  return queue
end
local function action_queue_of(job)
  return job.class .. '@' .. job.action .. '.' .. job.priority
end
local function queue_of(job)
  return job.actionQueue and action_queue_of(job) or shared_queue_of(job)
end
local function owner_in_queue(job) return queue_of(job) .. ':' .. (job.owner or '') end
local function group_of(job)
  return owner_in_queue(job) .. (job.fairnessKey and ':' .. job.fairnessKey or '')
end
