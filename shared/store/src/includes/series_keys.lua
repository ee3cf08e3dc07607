-- series_keys: keys of time series and of groups of failures. `series:cursor` is the last event
-- that was counted. `series:numbers` has the number of each series, and `series:used` when it was
-- last counted; number 0 stands for all series that got none. An interval is a hash, with a field
-- per series number and `all`; one of failures has a field per fingerprint.

local function key_series(resolution, at) return root .. 'series:' .. resolution .. ':' .. at end
local function key_failed(resolution, at) return root .. 'failed:' .. resolution .. ':' .. at end
local function key_failure_group(name) return root .. 'failure_group:' .. name end
