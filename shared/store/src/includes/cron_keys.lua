-- cron_keys: keys of one cron. `crons` holds when each is to be looked at next, `cron_names` all
-- names.

local function key_cron(name) return root .. 'cron:' .. name end
-- Firings that wait until an earlier job is over, as `tick:missed`, oldest first.
local function key_cron_held(name) return root .. 'cron_held:' .. name end
