
-- offers: how a ready job is offered. A share of a queue is what one submitter, or one fairness key, has in it: only so
-- many of its jobs are offered at a time, the others wait behind in its backlog. So whoever submits a hundred thousand
-- jobs has no more than these in front of anybody else's.

local window = 64

local function queue_of(job) return job.class .. '.' .. job.priority end
local function share_of(job) return queue_of(job) .. ':' .. (job.share or '') end

-- The one door to RabbitMQ: the relay publishes what stands in the outbox.
local function publish(id, job, now)
  call('ZADD', key_ready(job.class, job.priority), text(now), id)
  call('XADD', root .. 'outbox', '*', 'job', id, 'class', job.class, 'priority', job.priority,
    'scheduledAt', job.scheduledAt)
end

-- Offers a job, whatever its share has offered already.
local function admit(id, job, now)
  call('HINCRBY', root .. 'offered', share_of(job), 1)
  publish(id, job, now)
end

-- Offers a job that stands nowhere, when its share's turn has come.
local function offer(id, job, now)
  local share = share_of(job)
  if call('HINCRBY', root .. 'offered', share, 1) <= window then return publish(id, job, now) end
  call('HINCRBY', root .. 'offered', share, -1)
  call('ZADD', key_backlog(share), job.scheduledAt, id)
end

-- Shares from which offered jobs have gone in this script, in order, and how many of each.
local gone = {}

-- Takes a job out of those that are offered; false when it is not. What comes in its place, `refill` says.
local function leave_ready(id, job)
  if call('ZREM', key_ready(job.class, job.priority), id) == 0 then return false end
  local share = share_of(job)
  if not gone[share] then
    gone[share] = { class = job.class, priority = job.priority, share = job.share, count = 0 }
    gone[#gone + 1] = share
  end
  gone[share].count = gone[share].count + 1
  return true
end

-- What has come free in the windows of shares goes to those behind. Every script that takes jobs out calls it last.
local function refill(now)
  for _, share in ipairs(gone) do
    local of = gone[share]
    local offered = call('HINCRBY', root .. 'offered', share, -of.count)
    local behind = offered < window and call('ZPOPMIN', key_backlog(share), window - offered) or {}
    for i = 1, #behind, 2 do
      local job = { class = of.class, priority = of.priority, share = of.share }
      job.scheduledAt = text(behind[i + 1])
      admit(behind[i], job, now)
    end
    if offered == 0 and #behind == 0 then call('HDEL', root .. 'offered', share) end
  end
  gone = {}
end
