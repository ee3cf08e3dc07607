-- queue_keys: keys of one queue of jobs.

-- Jobs that stand in the outbox or are offered, by the time they were last offered.
local function key_ready(queue) return root .. 'ready:' .. queue end
-- Jobs of a fairness group that could run and are not offered yet.
local function key_backlog(group) return root .. 'backlog:' .. group end
-- Fairness keys of an owner whose groups wait for room in the owner's window, next one first.
local function key_turns(owner) return root .. 'turns:' .. owner end
