// Makes, starts and watches a workflow with the AWS SDK, as it would on AWS.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { Glue } from "@aws-sdk/client-glue";

const glue = new Glue({
  endpoint: process.env.AWS_ENDPOINT_URL ?? "http://127.0.0.1:4570",
  region: process.env.AWS_DEFAULT_REGION ?? "us-east-1",
  credentials: {
    accessKeyId: process.env.AWS_ACCESS_KEY_ID ?? "000000000000",
    secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY ?? "any",
  },
});

const Name = `sdk-${randomUUID().slice(0, 8)}`;
await glue.createJob({ Name, Role: "any", Command: { Name: "noop" }, DefaultArguments: { "--duration-ms": "300" } });
await glue.createWorkflow({ Name });
await glue.createTrigger({ Name, WorkflowName: Name, Type: "ON_DEMAND", Actions: [{ JobName: Name }] });
const { RunId } = await glue.startWorkflowRun({ Name });
console.log(`started ${Name}: ${RunId}`);
let { Run } = await glue.getWorkflowRun({ Name, RunId });
while (Run?.Status === "RUNNING") {
  await sleep(100);
  ({ Run } = await glue.getWorkflowRun({ Name, RunId }));
}
const counts = Run?.Statistics;
console.log(`${Run?.Status}: ${counts?.RunningActions} running, ${counts?.SucceededActions} succeeded`);
await glue.putWorkflowRunProperties({ Name, RunId, RunProperties: { read: "by TypeScript" } });
const { RunProperties } = await glue.getWorkflowRunProperties({ Name, RunId });
console.log(`properties: ${JSON.stringify(RunProperties)}`);
process.exit(Run?.Status === "COMPLETED" ? 0 : 1);
