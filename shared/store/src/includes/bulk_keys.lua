-- bulk_keys: keys of one bulk operation. `bulk` holds the ids of all by time, and `bulk:running` the
-- ids of those that are running.

local function key_bulk(operation) return root .. 'bulk:' .. operation end
