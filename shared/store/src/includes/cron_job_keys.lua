-- cron_job_keys: the jobs of a cron that may not be over yet.

local function key_cron_jobs(name) return root .. 'cron_jobs:' .. name end
