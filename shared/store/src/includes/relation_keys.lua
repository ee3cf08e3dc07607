-- relation_keys: keys for jobs that wait for other jobs. A child group is the set of children of a
-- job and of the follow-ups that carry it on; it is named by the id of the first of these.

-- Jobs that wait for this one.
local function key_dependents(id) return root .. 'dependents:' .. id end
-- Children that are not over.
local function key_children(child_group) return root .. 'children:' .. child_group end
-- All children, as an index for lists.
local function key_child_jobs(child_group) return root .. 'jobs:parent:' .. child_group end
-- Children that are to be cancelled because their parent was.
local function key_stopping(child_group) return root .. 'stopping:' .. child_group end
