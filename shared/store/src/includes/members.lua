-- members: buffers the changes of this script to sets and sorted sets. write_changes writes them
-- with one command per key and kind of change. score_of reads each score once.
-- include: try_step

local most_words = 2000
local set_commands = { [false] = 'ZREM', ['in'] = 'SADD', out = 'SREM' }
-- Per key, the known score of each member; false when it is not in the set.
local scores = {}
-- Per key, the members whose change is not written yet.
local unwritten = {}

local function table_of(tables, key)
  tables[key] = tables[key] or {}
  return tables[key]
end

-- The score of a member, or false.
local function score_of(key, member)
  local known = table_of(scores, key)
  if known[member] == nil then known[member] = call('ZSCORE', key, member) end
  return known[member]
end

local function set_score(key, member, score)
  table_of(scores, key)[member] = score
  table_of(unwritten, key)[member] = true
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

-- Writes the buffered changes of one set. Call it before reading the set in any way but score_of.
local function write_members_of(key)
  local known, changed = scores[key], unwritten[key]
  scores[key], unwritten[key] = nil, nil
  if not changed then return end
  local words = { ZREM = {}, ZADD = {}, SREM = {}, SADD = {} }
  for member in pairs(changed) do
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
