-- pop_members: removes the first members of a sorted set and returns them.

local function pop_members(key, most)
  local members = {}
  for i, member in ipairs(call('ZPOPMIN', key, most)) do
    if i % 2 == 1 then members[#members + 1] = member end
  end
  return members
end
