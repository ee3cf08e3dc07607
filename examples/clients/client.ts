// Submits a job, waits for its end, prints its log: Node 22.18 or later, no packages.
// CAPSTAN_API=http://127.0.0.1:8080 node examples/clients/client.ts
const api = `${process.env.CAPSTAN_API ?? "http://127.0.0.1:8080"}/api/v0`;
const token = process.env.CAPSTAN_TOKEN;

type Job = { id: string; status: string; followUpID: string | null; result: unknown };

async function call(method: string, path: string, body?: object, key?: string): Promise<Response> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (key) headers["idempotency-key"] = key;
  const response = await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response;
}

/** Waits for the end of a job and of the jobs that retry it. */
async function wait(id: string): Promise<Job> {
  for (let pause = 100; ; pause = Math.min(2 * pause, 2000)) {
    const job = (await (await call("GET", `/jobs/${id}`)).json()) as Job;
    if (job.followUpID) id = job.followUpID;
    else if (!["waiting", "running", "cancel_request"].includes(job.status)) return job;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

// The same key within a day is the same job, so this request may be repeated after an error.
const key = crypto.randomUUID();
const submission = { action: "sleep", parameters: { seconds: 1 }, retries: 2, deadline: "1m" };
const submitted = (await (await call("POST", "/jobs", submission, key)).json()) as Job;
const job = await wait(submitted.id);
const lines = (await (await call("GET", `/jobs/${job.id}/logs`)).json()) as { data: string }[];
console.log(job.status, lines.map((line) => line.data).join(""));

const other = (await (await call("POST", "/jobs", { action: "sleep" })).json()) as Job;
await call("POST", `/jobs/${other.id}/cancel`);
console.log((await wait(other.id)).status);

export {};
