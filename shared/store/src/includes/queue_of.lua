-- queue_of: the queue of a job, and its fairness group: what one submitter, or one fairness key,
-- has in that queue. A job in the queue of its own action says so in its record.

local function shared_queue_of(job) return job.class .. '.' .. job.priority end
local function action_queue_of(job)
  return job.class .. '@' .. job.action .. '.' .. job.priority
end
local function queue_of(job)
  return job.actionQueue and action_queue_of(job) or shared_queue_of(job)
end
local function group_of(job) return queue_of(job) .. ':' .. (job.fairnessGroup or '') end
