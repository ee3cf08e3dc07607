-- member_of: how a waiting job stands in a sorted set: by its number, then its id. Redis orders
-- equal scores by the member, so jobs of one moment keep the order in which they were submitted.

-- By id; a job keeps its number.
local known_members = {}

local function member_of(id, job)
  local member = known_members[id]
  if not member then
    member = string.sub('0000000000000000', #job.number + 1) .. job.number .. ':' .. id
    known_members[id] = member
  end
  return member
end
local function number_of(member) return string.match(member, '^0*(%d+):') end
local function id_of(member) return string.sub(member, 18) end
