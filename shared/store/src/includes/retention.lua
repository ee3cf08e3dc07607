-- retention: how long the id of a job stays reserved after the job itself has been removed.

local id_reserved_s = 86400
-- How long that of a submission that has joined a batch is, unless an idempotency key says more:
-- longer than a service repeats a call whose answer was lost.
local call_repeated_s = 300
