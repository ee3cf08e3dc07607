-- worker_keys: keys of one worker.

local function key_worker(worker) return root .. 'worker:' .. worker end
-- The jobs it runs.
local function key_running(worker) return root .. 'running:' .. worker end
