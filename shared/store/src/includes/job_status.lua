-- job_status: what the status of a job that was read means.

local function is_running(job) return job.status == 'running' or job.status == 'cancel_request' end
local function is_final(job) return job.status ~= 'waiting' and not is_running(job) end
