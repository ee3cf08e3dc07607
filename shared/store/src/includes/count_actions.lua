-- count_actions: what `routing` counts of a live worker and of the actions it knows.
-- include: count_in

local function count_actions(actions, by)
  for name in string.gmatch(actions or '', '[^,]+') do count_in('knows:' .. name, by) end
end

-- A worker that lived is dead or has left.
local function uncount_worker(actions)
  count_in('workers', -1)
  count_actions(actions, -1)
end
