// Makes, starts and watches a workflow over gRPC; the proto files are read when it starts.

import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PROTO = join(dirname(fileURLToPath(import.meta.url)), "../../../../proto");
const ENDPOINT = process.env.TREENAIL_GRPC_ENDPOINT ?? "127.0.0.1:4571";
const REGION = process.env.AWS_DEFAULT_REGION ?? "us-east-1";

type Message = Record<string, any>;

const files = readdirSync(PROTO, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".proto"))
  .map((file) => relative(PROTO, join(PROTO, file)));
const contract = grpc.loadPackageDefinition(
  loadSync(files, { includeDirs: [PROTO], keepCase: true, enums: String, longs: Number }),
) as Message;

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
  const stub = new contract.treenail[area].v1[service](ENDPOINT, grpc.credentials.createInsecure());
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

const name = `grpc-${randomUUID().slice(0, 8)}`;
await client("glue", "JobService").call("CreateJob", {
  name,
  role: "any",
  command: { name: "noop" },
  default_arguments: { "--duration-ms": "300" },
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
for await (const { run } of client("ops", "WatchService").stream("WatchWorkflowRun", { name, run_id })) {
  status = run.status.replace("WORKFLOW_RUN_STATUS_", "");
  const { running_actions = 0, succeeded_actions = 0 } = run.statistics;
  console.log(`${status}: ${running_actions} running, ${succeeded_actions} succeeded`);
}
const store = client("glue", "RunPropertiesService");
await store.call("PutWorkflowRunProperties", { name, run_id, run_properties: { read: "by TypeScript" } });
const { run_properties } = await store.call("GetWorkflowRunProperties", { name, run_id });
console.log(`properties: ${JSON.stringify(run_properties)}`);
process.exit(status === "COMPLETED" ? 0 : 1);
