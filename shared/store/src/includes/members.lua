-- members: buffers the changes of this script to sets and sorted sets. write_changes writes them
-- with one command per key and kind of change. score_of reads each score once, and read_scores
-- those of several members.
-- include: try_step

local most_words = 2000
-- Per key: the known score of each member, false when it is not in the set; what was added, and
-- what was removed, since the last write.
local sets = {}

local function set_of(key)
  local set = sets[key]
  if not set then
    set = { scores = {}, added = {}, removed = {} }
    sets[key] = set
  end
  return set
end

-- The score of a member, or false.
local function score_of(key, member)
  local scores = set_of(key).scores
  if scores[member] == nil then scores[member] = call('ZSCORE', key, member) end
  return scores[member]
end

-- Reads the scores of several members with one command.
local function read_scores(key, members)
  local scores = set_of(key).scores
  for first = 1, #members, most_words do
    local last = math.min(first + most_words - 1, #members)
    for i, score in ipairs(call('ZMSCORE', key, unpack(members, first, last))) do
      local member = members[first + i - 1]
      if scores[member] == nil then scores[member] = score end
    end
  end
end

local function add_member(key, score, member)
  local set = set_of(key)
  local added = set.added
  local count = #added
  set.scores[member] = score
  added[count + 1], added[count + 2] = score, member
end

local function remove_member(key, member)
  local set = set_of(key)
  set.scores[member] = false
  set.removed[#set.removed + 1] = member
end

-- The same for sets without scores.
local function add_to_set(key, member)
  local set = set_of(key)
  set.is_plain, set.scores[member] = true, true
  set.added[#set.added + 1] = member
end

local function remove_from_set(key, member)
  remove_member(key, member)
  set_of(key).is_plain = true
end

local function write_words(command, key, words)
  for first = 1, #words, most_words do
    call(command, key, unpack(words, first, math.min(first + most_words - 1, #words)))
  end
end

-- What was added and what was removed, without what was changed back.
local function last_changes(set)
  local added, removed = {}, {}
  for i, member in ipairs(set.added) do
    if set.is_plain and set.scores[member] then
      added[#added + 1] = member
    elseif i % 2 == 0 and set.scores[member] then
      added[#added + 1] = set.scores[member]
      added[#added + 1] = member
    end
  end
  for _, member in ipairs(set.removed) do
    if not set.scores[member] then removed[#removed + 1] = member end
  end
  return added, removed
end

-- Writes the buffered changes of one set. Call it before reading the set in any way but score_of.
local function write_members_of(key)
  local set = sets[key]
  sets[key] = nil
  if not set then return end
  local added, removed = set.added, set.removed
  if #added > 0 and #removed > 0 then added, removed = last_changes(set) end
  write_words(set.is_plain and 'SREM' or 'ZREM', key, removed)
  write_words(set.is_plain and 'SADD' or 'ZADD', key, added)
end

local function write_members()
  local keys = {}
  for key in pairs(sets) do keys[#keys + 1] = key end
  for _, key in ipairs(keys) do try_reported(key, write_members_of, key) end
end
