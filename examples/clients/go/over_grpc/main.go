// Makes, starts and watches a workflow over gRPC, and follows what its job writes; build.sh makes gen/ from proto/.
package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"example.com/treenail/clients/gen/glue/v1"
	"example.com/treenail/clients/gen/ops/v1"
)

// setting gives the value of an environment variable, or what stands for it.
func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// connect opens a channel: over TLS to https://, where TREENAIL_CA is whom to trust if not whom the system does.
func connect() (*grpc.ClientConn, error) {
	endpoint := setting("TREENAIL_GRPC_ENDPOINT", "http://127.0.0.1:4571")
	transport := insecure.NewCredentials()
	if strings.HasPrefix(endpoint, "https://") {
		trust := &tls.Config{MinVersion: tls.VersionTLS12}
		if file := os.Getenv("TREENAIL_CA"); file != "" {
			authorities, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			trust.RootCAs = x509.NewCertPool()
			if !trust.RootCAs.AppendCertsFromPEM(authorities) {
				return nil, fmt.Errorf("%s holds no certificate", file)
			}
		}
		transport = credentials.NewTLS(trust)
	}
	target := strings.TrimPrefix(strings.TrimPrefix(endpoint, "https://"), "http://")
	return grpc.NewClient(target, grpc.WithTransportCredentials(transport))
}

// caller says on whose behalf calls are made: an account of twelve digits, or a key with its secret.
func caller(ctx context.Context) context.Context {
	ctx = metadata.AppendToOutgoingContext(ctx, "treenail-region", setting("AWS_DEFAULT_REGION", "us-east-1"))
	key := setting("AWS_ACCESS_KEY_ID", "000000000000")
	if strings.Trim(key, "0123456789") == "" {
		return metadata.AppendToOutgoingContext(ctx, "treenail-account", key)
	}
	token := fmt.Sprintf("Bearer %s:%s", key, os.Getenv("AWS_SECRET_ACCESS_KEY"))
	return metadata.AppendToOutgoingContext(ctx, "authorization", token)
}

// script says what the job runs: TREENAIL_SCRIPT, or the file that stands beside the clients' folders.
func script() (string, error) {
	if named := os.Getenv("TREENAIL_SCRIPT"); named != "" {
		return named, nil
	}
	program, err := os.Executable()
	return filepath.Join(filepath.Dir(program), "..", "..", "hello.py"), err
}

// makeWorkflow makes a workflow of one job.
func makeWorkflow(ctx context.Context, channel *grpc.ClientConn, name string) error {
	location, err := script()
	if err != nil {
		return err
	}
	job := &glue.CreateJobRequest{
		Name: &name,
		Role: proto.String("any"),
		Command: &glue.JobCommand{
			Name:           proto.String("pythonshell"),
			PythonVersion:  proto.String("3.9"),
			ScriptLocation: &location,
		},
	}
	if _, err := glue.NewJobServiceClient(channel).CreateJob(ctx, job); err != nil {
		return err
	}
	workflow := &glue.CreateWorkflowRequest{Name: &name}
	if _, err := glue.NewWorkflowServiceClient(channel).CreateWorkflow(ctx, workflow); err != nil {
		return err
	}
	trigger := &glue.CreateTriggerRequest{
		Name:         &name,
		WorkflowName: &name,
		Type:         glue.TriggerType_TRIGGER_TYPE_ON_DEMAND.Enum(),
		Actions:      []*glue.Action{{JobName: &name}},
	}
	_, err = glue.NewTriggerServiceClient(channel).CreateTrigger(ctx, trigger)
	return err
}

// watch follows a run until it has ended, and shows what its job writes; it gives the last status.
func watch(ctx context.Context, channel *grpc.ClientConn, name, runID string) (string, error) {
	request := &ops.WatchWorkflowRunRequest{Name: &name, RunId: &runID, IncludeGraph: proto.Bool(true)}
	stream, err := ops.NewWatchServiceClient(channel).WatchWorkflowRun(ctx, request)
	if err != nil {
		return "", err
	}
	status, followed := "", map[string]bool{}
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return status, nil
		}
		if err != nil {
			return "", err
		}
		run := answer.GetRun()
		status = strings.TrimPrefix(run.GetStatus().String(), "WORKFLOW_RUN_STATUS_")
		counts := run.GetStatistics()
		fmt.Printf("%s: %d running, %d succeeded\n", status, counts.GetRunningActions(), counts.GetSucceededActions())
		for _, node := range run.GetGraph().GetNodes() {
			for _, jobRun := range node.GetJobDetails().GetJobRuns() {
				// Whoever reads the stream late hears of the run as it is then: nothing is missed meanwhile.
				if id := jobRun.GetId(); !followed[id] {
					followed[id] = true
					if err := follow(ctx, channel, id); err != nil {
						return "", err
					}
				}
			}
		}
	}
}

// follow shows what a job run writes, until it has ended.
func follow(ctx context.Context, channel *grpc.ClientConn, jobRunID string) error {
	request := &ops.TailLogsRequest{JobRunId: &jobRunID, Follow: proto.Bool(true)}
	stream, err := ops.NewLogServiceClient(channel).TailLogs(ctx, request)
	if err != nil {
		return err
	}
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, chunk := range answer.GetChunks() {
			if _, err := os.Stdout.Write(chunk.GetData()); err != nil {
				return err
			}
		}
	}
}

// all does it all.
func all(ctx context.Context, channel *grpc.ClientConn) error {
	random := make([]byte, 4)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	name := fmt.Sprintf("grpc-%x", random)
	if err := makeWorkflow(ctx, channel, name); err != nil {
		return err
	}
	start := &glue.StartWorkflowRunRequest{Name: &name}
	started, err := glue.NewWorkflowRunServiceClient(channel).StartWorkflowRun(ctx, start)
	if err != nil {
		return err
	}
	runID := started.GetRunId()
	fmt.Printf("started %s: %s\n", name, runID)
	status, err := watch(ctx, channel, name, runID)
	if err != nil {
		return err
	}
	properties := map[string]string{"read": "by Go"}
	store := glue.NewRunPropertiesServiceClient(channel)
	put := &glue.PutWorkflowRunPropertiesRequest{Name: &name, RunId: &runID, RunProperties: properties}
	if _, err := store.PutWorkflowRunProperties(ctx, put); err != nil {
		return err
	}
	get := &glue.GetWorkflowRunPropertiesRequest{Name: &name, RunId: &runID}
	found, err := store.GetWorkflowRunProperties(ctx, get)
	if err != nil {
		return err
	}
	fmt.Printf("properties: %v\n", found.GetRunProperties())
	if status != "COMPLETED" {
		return errors.New("the run did not complete")
	}
	return nil
}

func main() {
	log.SetFlags(0)
	channel, err := connect()
	if err != nil {
		log.Fatal(err)
	}
	defer channel.Close()
	if err := all(caller(context.Background()), channel); err != nil {
		log.Fatal(err)
	}
}
