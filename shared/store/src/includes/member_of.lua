-- member_of: how a waiting job stands in a sorted set: by its number, then its id. Redis orders
-- equal scores by the member, so jobs of one moment keep the order in which they were submitted.

-- By id; a job keeps its number.
local known_members = {}

local function member_of(id, job)
  known_members[id] = known_members[id] or string.format('%016.0f:%s', job.number, id)
  return known_members[id]
end
local function number_of(member) return string.match(member, '^0*(%d+):') end
local function id_of(member) return string.sub(member, 18) end
