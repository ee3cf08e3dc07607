-- relation_keys: keys for jobs that name other jobs. A child group is the set of children of a
-- job and of the follow-ups that carry it on; it is named by the id of the first of these.

-- A job and all that carry it on, by number: its chain, named by the id of the first.
local function key_chain(first) return root .. 'chain:' .. first end
-- Jobs that wait for this one.
local function key_dependents(id) return root .. 'dependents:' .. id end
-- Children that are not over.
local function key_children(child_group) return root .. 'children:' .. child_group end
-- All children, as an index for lists.
local function key_child_jobs(child_group) return root .. 'jobs:parent:' .. child_group end
-- Children that are to be cancelled because their parent was.
local function key_stopping(child_group) return root .. 'stopping:' .. child_group end
