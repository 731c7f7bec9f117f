// Makes, starts and watches a workflow over gRPC, and follows what its job writes; the proto files are read when it
// starts.

import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const HERE = dirname(fileURLToPath(import.meta.url));
const PROTO = join(HERE, "../../../../proto");
const ENDPOINT = process.env.TREENAIL_GRPC_ENDPOINT ?? "http://127.0.0.1:4571";
const SCRIPT = process.env.TREENAIL_SCRIPT ?? join(HERE, "../../hello.py");
const REGION = process.env.AWS_DEFAULT_REGION ?? "us-east-1";

type Message = Record<string, any>;

const files = readdirSync(PROTO, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".proto"))
  .map((file) => relative(PROTO, join(PROTO, file)));
const contract = grpc.loadPackageDefinition(
  loadSync(files, { includeDirs: [PROTO], keepCase: true, enums: String, longs: Number, arrays: true }),
) as Message;

/** TLS to https://, where TREENAIL_CA is who to trust if not whom Node.js does. */
function transport(): grpc.ChannelCredentials {
  if (!ENDPOINT.startsWith("https://")) {
    return grpc.credentials.createInsecure();
  }
  const authorities = process.env.TREENAIL_CA;
  return grpc.credentials.createSsl(authorities ? readFileSync(authorities) : null);
}

/** Says on whose behalf calls are made: an account of twelve digits, or a key with its secret. */
function metadata(): grpc.Metadata {
  const key = process.env.AWS_ACCESS_KEY_ID ?? "000000000000";
  const who = new grpc.Metadata();
  who.set("treenail-region", REGION);
  if (/^\d+$/.test(key)) {
    who.set("treenail-account", key);
  } else {
    who.set("authorization", `Bearer ${key}:${process.env.AWS_SECRET_ACCESS_KEY}`);
  }
  return who;
}

/** A client of a service, with calls that are promises. */
function client(area: "glue" | "ops", service: string) {
  const stub = new contract.treenail[area].v1[service](ENDPOINT.replace(/^https?:\/\//, ""), transport());
  return {
    call: (method: string, request: Message): Promise<Message> =>
      new Promise((resolve, reject) => {
        stub[method](request, metadata(), (error: grpc.ServiceError | null, answer: Message) =>
          error ? reject(error) : resolve(answer),
        );
      }),
    stream: (method: string, request: Message): AsyncIterable<Message> => stub[method](request, metadata()),
  };
}

/** Shows what a job run writes, until it has ended. */
async function follow(job_run_id: string): Promise<void> {
  for await (const { chunks } of client("ops", "LogService").stream("TailLogs", { job_run_id, follow: true })) {
    for (const { data } of chunks) {
      process.stdout.write(data);
    }
  }
}

const name = `grpc-${randomUUID().slice(0, 8)}`;
await client("glue", "JobService").call("CreateJob", {
  name,
  role: "any",
  command: { name: "pythonshell", python_version: "3.9", script_location: SCRIPT },
});
await client("glue", "WorkflowService").call("CreateWorkflow", { name });
await client("glue", "TriggerService").call("CreateTrigger", {
  name,
  workflow_name: name,
  type: "TRIGGER_TYPE_ON_DEMAND",
  actions: [{ job_name: name }],
});
const { run_id } = await client("glue", "WorkflowRunService").call("StartWorkflowRun", { name });
console.log(`started ${name}: ${run_id}`);
let status = "";
const followed = new Set<string>();
const watched = client("ops", "WatchService").stream("WatchWorkflowRun", { name, run_id, include_graph: true });
for await (const { run } of watched) {
  status = run.status.replace("WORKFLOW_RUN_STATUS_", "");
  const { running_actions = 0, succeeded_actions = 0 } = run.statistics;
  console.log(`${status}: ${running_actions} running, ${succeeded_actions} succeeded`);
  for (const { id } of run.graph.nodes.flatMap((node: Message) => node.job_details?.job_runs ?? [])) {
    // Whoever reads the stream late hears of the run as it is then: nothing is missed meanwhile.
    if (!followed.has(id)) {
      followed.add(id);
      await follow(id);
    }
  }
}
const store = client("glue", "RunPropertiesService");
await store.call("PutWorkflowRunProperties", { name, run_id, run_properties: { read: "by TypeScript" } });
const { run_properties } = await store.call("GetWorkflowRunProperties", { name, run_id });
console.log(`properties: ${JSON.stringify(run_properties)}`);
process.exit(status === "COMPLETED" ? 0 : 1);
