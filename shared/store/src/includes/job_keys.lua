-- job_keys: keys of one job, and the indexes that jobs are listed by. keys.rs builds the same
-- names.

local function key_job(id) return root .. 'job:' .. id end
local function key_log(id) return root .. 'log:' .. id end
local function key_unique(key) return root .. 'unique:' .. key end
local function key_used_id(id) return root .. 'used_id:' .. id end
local function key_request(id) return root .. 'request:' .. id end
local function key_status(status) return root .. 'jobs:status:' .. status end
local function key_action(action) return root .. 'jobs:action:' .. action end
local function key_jobs_of(worker) return root .. 'jobs:worker:' .. worker end
