-- join_batch: a submission joins its open batch: the job of an earlier submission that differs only
-- in its parameters, and is not due yet. Which job that is, how many submissions it has and the
-- bytes of their parameters are in a key, which expires some time after the job is due. A script
-- that lets submissions join writes what they have added with then_write_batches.
-- include: job_keys, read_job, members, member_of, count_waiting, emit_job, offer, words_in, digits

local batch_kept_ms = 60000
local list_begins = '"parameters":{"batch":['
-- By key: the open batch of such submissions, false when there is none.
local open_batches = {}
-- Those that this script adds parameters to, in the order in which it began to.
local joined_batches = {}

local function key_batch(key) return root .. 'batching:' .. key end

-- The position of the last byte of a list of parameters; false when there is no such list. What
-- precedes it in a spec has no object of this name, and in a text the quotes are escaped.
local function end_of_list(spec, bytes)
  local _, before = string.find(spec, list_begins, 1, true)
  local last = before and before + bytes
  return last and string.sub(spec, last + 1, last + 2) == ']}' and last
end

-- False when there is no open batch. One that was put off by hand is not open any more.
local function read_batch(batch, now)
  local state = words_in(call('GET', key_batch(batch.key)))
  local id, bytes = state[1], tonumber(state[3])
  if not id then return false end
  local held = call('HMGET', key_job(id), 'status', 'createdAt', 'scheduledAt', 'number', 'action',
    'owner', 'spec')
  local due = tonumber(held[3])
  if held[1] ~= 'waiting' or due <= now or due ~= held[2] + batch.waitMs then return false end
  if not score_of(root .. 'due', member_of(id, { number = held[4] })) then return false end
  local last = held[7] and end_of_list(held[7], bytes)
  return last and { id = id, key = batch.key, count = tonumber(state[2]), bytes = bytes, added = {},
    number = held[4], action = held[5], owner = held[6], spec = held[7], last = last }
end

local function open_batch(batch, now)
  if open_batches[batch.key] == nil then open_batches[batch.key] = read_batch(batch, now) end
  return open_batches[batch.key]
end

-- How many bytes of parameters a batch has with those of another submission.
local function bytes_with(open, batch) return open.bytes + 1 + batch.bytes end

local function write_parameters(open, now)
  local spec = string.sub(open.spec, 1, open.last) .. ',' .. table.concat(open.added, ',')
    .. string.sub(open.spec, open.last + 1)
  count_waiting(open.id, { owner = open.owner, bytes = #open.spec }, -1)
  call('HSET', key_job(open.id), 'spec', spec, 'lastUpdated', digits(now))
  count_waiting(open.id, { owner = open.owner, bytes = #spec }, 1)
end

-- Nothing joins the batch any more, and it is due now.
local function close_batch(open, now)
  local id, at = open.id, digits(now)
  if #open.added > 0 then write_parameters(open, now) end
  open_batches[open.key] = false
  call('DEL', key_batch(open.key))
  call('HSET', key_job(id), 'scheduledAt', at, 'lastUpdated', at)
  remove_member(root .. 'due', member_of(id, open))
  add_member(key_status('waiting'), at, id)
  add_member(key_action(open.action), at, id)
  offer(id, read_job(id), now)
  emit_job(id, open.number, open.action, 'waiting', '', '')
end

-- The job that a submission has joined, or nil when it begins a batch.
local function join_batch(job, now)
  local batch = job.batch
  local open = open_batch(batch, now)
  if not open then return nil end
  local fits = bytes_with(open, batch) <= batch.mostBytes
  if fits then
    if #open.added == 0 then joined_batches[#joined_batches + 1] = open end
    local last = end_of_list(job.spec, batch.bytes)
    open.added[#open.added + 1] = string.sub(job.spec, last - batch.bytes + 1, last)
    open.count, open.bytes = open.count + 1, bytes_with(open, batch)
  end
  if not fits or open.count >= batch.size then close_batch(open, now) end
  return fits and open.id or nil
end

local function begin_batch(id, job)
  local batch = job.batch
  call('SET', key_batch(batch.key), id .. ' 1 ' .. digits(batch.bytes), 'PX',
    digits(batch.waitMs + batch_kept_ms))
  open_batches[batch.key] = { id = id, key = batch.key, count = 1, bytes = batch.bytes, added = {},
    number = job.fields.number, action = job.fields.action, owner = job.fields.owner,
    spec = job.spec, last = end_of_list(job.spec, batch.bytes) }
end

-- Makes submissions, then writes what has joined each open batch. When a submission fails, what the
-- earlier ones have added is still written.
local function then_write_batches(now, submit_all)
  local done, why = pcall(submit_all)
  for _, open in ipairs(joined_batches) do
    if open_batches[open.key] == open then
      write_parameters(open, now)
      local state = open.id .. ' ' .. digits(open.count) .. ' ' .. digits(open.bytes)
      call('SET', key_batch(open.key), state, 'KEEPTTL')
      emit_job(open.id, open.number, open.action, 'waiting', '', '')
    end
  end
  if not done then error(why, 0) end
end
