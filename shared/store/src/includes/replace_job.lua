-- replace_job: replaces a debounced job that is not due yet by a new submission with its unique key,
-- and makes it due later. False when the job is due or over, or has another action or owner. `by` is
-- the submission; its record fields are changed.
-- include: job_keys, members, member_of, count_waiting, emit_job, digits, words_in

-- The fields of a record that not every submission has.
local optional_fields = words_in('fairnessKey locks onWorkerLost backoffBase backoffMax ' ..
  'retriesLeft priority')

-- What is read of the record that a submission replaces; false when it does not.
local function replaceable(id, by, now)
  local held = call('HMGET', key_job(id), 'status', 'replaced', 'scheduledAt', 'createdAt',
    'number', 'action', 'owner', 'replacedBy')
  local same = held[6] == by.fields.action and (held[7] or '') == (by.fields.owner or '')
  local waits = held[2] and held[1] == 'waiting' and tonumber(held[3]) > now
  return waits and same and score_of(root .. 'due', member_of(id, { number = held[5] }))
    and held
end

local function replace_job(id, by, now)
  local held, fields, key = replaceable(id, by, now), by.fields, key_job(id)
  if not held then return false end
  -- A repeated call: the answer was lost.
  if held[8] == by.id then return true end

  local at = now + by.debounceMs
  if by.debounceMaxMs then at = math.max(now, math.min(at, held[4] + by.debounceMaxMs)) end
  at = digits(at)
  local new, old = { 'scheduledAt', at, 'lastUpdated', digits(now), 'spec', by.spec }, {}
  if fields.priority == 'normal' then fields.priority = nil end
  for name, value in pairs(fields) do
    new[#new + 1], new[#new + 2] = name, value
  end
  for _, name in ipairs(optional_fields) do
    if not fields[name] then old[#old + 1] = name end
  end
  count_waiting(id, { owner = held[7] }, -1)
  call('HSET', key, 'replaced', digits(held[2] + 1), 'replacedBy', by.id, unpack(new))
  if #old > 0 then call('HDEL', key, unpack(old)) end
  count_waiting(id, { owner = held[7], bytes = #by.spec }, 1)
  add_member(root .. 'due', at, member_of(id, { number = held[5] }))
  add_member(key_status('waiting'), at, id)
  add_member(key_action(fields.action), at, id)
  emit_job(id, held[5], fields.action, 'waiting', '', '')
  return true
end
