-- members: what this script adds to sets and sorted sets and removes from them. It is written once
-- per key, by write_changes, and what is read with score_of is read once.
-- include: try_step

local most_words = 2000
local set_commands = { [false] = 'ZREM', ['in'] = 'SADD', out = 'SREM' }
-- Per key, the score of each member as this script knows it: false when it is no member.
local scores = {}
-- Per key, the members whose scores are not written yet.
local unwritten = {}

-- The score of a member, or false.
local function score_of(key, member)
  local known = scores[key]
  if not known then
    known = {}
    scores[key] = known
  end
  if known[member] == nil then known[member] = call('ZSCORE', key, member) end
  return known[member]
end

local function set_score(key, member, score)
  local known, changed = scores[key], unwritten[key]
  if not known then
    known = {}
    scores[key] = known
  end
  if not changed then
    changed = {}
    unwritten[key] = changed
  end
  known[member] = score
  changed[member] = true
end

local function add_member(key, score, member) set_score(key, member, score) end
local function remove_member(key, member) set_score(key, member, false) end

-- The same for sets without scores.
local function add_to_set(key, member) set_score(key, member, 'in') end
local function remove_from_set(key, member) set_score(key, member, 'out') end

local function write_words(command, key, words)
  for first = 1, #words, most_words do
    call(command, key, unpack(words, first, math.min(first + most_words - 1, #words)))
  end
end

-- Writes what has changed in one set, and forgets it: needed before the set is read otherwise.
local function write_members_of(key)
  local known, changed = scores[key], unwritten[key]
  scores[key], unwritten[key] = nil, nil
  local words = { ZREM = {}, ZADD = {}, SREM = {}, SADD = {} }
  for member in pairs(changed or {}) do
    local score = known[member]
    local command = set_commands[score] or 'ZADD'
    local list = words[command]
    if command == 'ZADD' then list[#list + 1] = score end
    list[#list + 1] = member
  end
  for command, list in pairs(words) do write_words(command, key, list) end
end

local function write_members()
  local keys = {}
  for key in pairs(unwritten) do keys[#keys + 1] = key end
  for _, key in ipairs(keys) do try_reported(key, write_members_of, key) end
end
