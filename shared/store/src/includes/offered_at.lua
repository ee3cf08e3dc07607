-- offered_at: when a job was last offered; false when it is not offered.
-- include: queue_keys

local function offered_at(id, job) return call('ZSCORE', key_ready(job.class, job.priority), id) end
