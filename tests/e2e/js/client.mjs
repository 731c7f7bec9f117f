// Uses the AWS SDK for JavaScript as a program would, and prints what it saw as one line of JSON.
import {
  BatchGetWorkflowsCommand,
  CreateJobCommand,
  CreateTriggerCommand,
  CreateWorkflowCommand,
  EntityNotFoundException,
  GetWorkflowCommand,
  GetWorkflowRunCommand,
  GetWorkflowRunPropertiesCommand,
  GlueClient,
  PutWorkflowRunPropertiesCommand,
  StartWorkflowRunCommand,
  UpdateTriggerCommand,
  paginateListWorkflows,
} from "@aws-sdk/client-glue";

const PATIENCE_MS = 30_000;
const POLL_MS = 50;

const [script] = process.argv.slice(2);
const glue = new GlueClient({ maxAttempts: 1 });
const seen = {};

await glue.send(new CreateWorkflowCommand({ Name: "js", DefaultRunProperties: { x: "1" }, Tags: { team: "a" } }));
await glue.send(
  new CreateJobCommand({ Name: "J1", Role: "any", Command: { Name: "pythonshell", ScriptLocation: script } }),
);
await glue.send(
  new CreateTriggerCommand({
    Name: "start",
    WorkflowName: "js",
    Type: "SCHEDULED",
    Schedule: "cron(0 0 1 1 ? 2199)",
    Actions: [{ JobName: "J1" }],
  }),
);
const update = { Schedule: "cron(0 0 2 1 ? 2199)", Actions: [{ JobName: "J1", Arguments: { "--a": "1" } }] };
const updated = await glue.send(new UpdateTriggerCommand({ Name: "start", TriggerUpdate: update }));
seen.trigger = updated.Trigger;

const { RunId } = await glue.send(new StartWorkflowRunCommand({ Name: "js", RunProperties: { y: "2" } }));
seen.runId = RunId;
await glue.send(new PutWorkflowRunPropertiesCommand({ Name: "js", RunId, RunProperties: { z: "3" } }));
const properties = await glue.send(new GetWorkflowRunPropertiesCommand({ Name: "js", RunId }));
seen.properties = properties.RunProperties;
seen.run = await ended(RunId);
seen.timesAreDates = seen.run.StartedOn instanceof Date && seen.run.CompletedOn instanceof Date;

const workflow = await glue.send(new GetWorkflowCommand({ Name: "js", IncludeGraph: true }));
seen.nodes = workflow.Workflow.Graph.Nodes.map((node) => node.Name).sort();
seen.lastRun = workflow.Workflow.LastRun.WorkflowRunId;

for (const name of ["a", "b"]) {
  await glue.send(new CreateWorkflowCommand({ Name: name }));
}
seen.pages = [];
for await (const page of paginateListWorkflows({ client: glue, pageSize: 2 }, {})) {
  seen.pages.push(page.Workflows);
}
const batch = await glue.send(new BatchGetWorkflowsCommand({ Names: ["a", "nowhere"] }));
seen.missing = batch.MissingWorkflows;

try {
  await glue.send(new GetWorkflowCommand({ Name: "nowhere" }));
} catch (error) {
  seen.error = {
    typed: error instanceof EntityNotFoundException,
    name: error.name,
    message: error.message,
    requestId: error.$metadata.requestId,
  };
}
console.log(JSON.stringify(seen));

async function ended(runId) {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const { Run } = await glue.send(new GetWorkflowRunCommand({ Name: "js", RunId: runId, IncludeGraph: true }));
    if (Run.Status === "COMPLETED") {
      return Run;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`run ${runId} did not end`);
}
