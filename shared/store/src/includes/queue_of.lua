-- queue_of: the queue of a job, and its fairness group: what one submitter, or one fairness key,
-- has in that queue.

local function queue_of(job) return job.class .. '.' .. job.priority end
local function group_of(job) return queue_of(job) .. ':' .. (job.fairnessGroup or '') end
