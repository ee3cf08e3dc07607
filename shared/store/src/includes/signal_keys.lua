-- signal_keys: keys of the signals of one job, and how one is written: '<ms> <role> <by> <body>',
-- when it was sent, by whom, and what. keys.rs builds the same names.
-- include: job_keys

-- The signal that continued the job, which its runs read.
local function key_signal(id) return root .. 'signal:' .. id end
-- Signals for which the job has not waited yet, by name.
local function key_early_signals(id) return root .. 'signals:' .. id end

-- Removes a signal for which the job has not waited.
local function drop_early_signal(id, name)
  if call('HDEL', key_early_signals(id), name) == 0 then return end
  if call('EXISTS', key_early_signals(id)) == 0 then call('HDEL', key_job(id), 'signalledAt') end
end

-- Whether the role of a sender is sufficient for a wait that requires at least the role `least`.
local function may_signal(role, least) return role == 'admin' or least ~= 'admin' end
