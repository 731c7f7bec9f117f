// Makes, starts and watches a workflow with the AWS SDK, as it would on AWS.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
)

// setting gives the value of an environment variable, or what stands for it.
func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// connect makes the client. The SDK itself reads AWS_CA_BUNDLE, whom to trust if not whom the system does.
func connect(ctx context.Context) (*glue.Client, error) {
	key := setting("AWS_ACCESS_KEY_ID", "000000000000")
	secret := setting("AWS_SECRET_ACCESS_KEY", "any")
	loaded, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(setting("AWS_DEFAULT_REGION", "us-east-1")),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(key, secret, "")),
	)
	if err != nil {
		return nil, err
	}
	return glue.NewFromConfig(loaded, func(options *glue.Options) {
		options.BaseEndpoint = aws.String(setting("AWS_ENDPOINT_URL", "http://127.0.0.1:4570"))
	}), nil
}

// makeWorkflow makes a workflow of one job.
func makeWorkflow(ctx context.Context, client *glue.Client, name *string) error {
	if _, err := client.CreateJob(ctx, &glue.CreateJobInput{
		Name:             name,
		Role:             aws.String("any"),
		Command:          &types.JobCommand{Name: aws.String("noop")},
		DefaultArguments: map[string]string{"--duration-ms": "300"},
	}); err != nil {
		return err
	}
	if _, err := client.CreateWorkflow(ctx, &glue.CreateWorkflowInput{Name: name}); err != nil {
		return err
	}
	_, err := client.CreateTrigger(ctx, &glue.CreateTriggerInput{
		Name:         name,
		WorkflowName: name,
		Type:         types.TriggerTypeOnDemand,
		Actions:      []types.Action{{JobName: name}},
	})
	return err
}

// ended asks for a run until it has ended.
func ended(ctx context.Context, client *glue.Client, name, runID *string) (*types.WorkflowRun, error) {
	for {
		found, err := client.GetWorkflowRun(ctx, &glue.GetWorkflowRunInput{Name: name, RunId: runID})
		if err != nil {
			return nil, err
		}
		if found.Run.Status != types.WorkflowRunStatusRunning {
			return found.Run, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// all does it all.
func all(ctx context.Context) error {
	client, err := connect(ctx)
	if err != nil {
		return err
	}
	random := make([]byte, 4)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	name := aws.String(fmt.Sprintf("sdk-%x", random))
	if err := makeWorkflow(ctx, client, name); err != nil {
		return err
	}
	started, err := client.StartWorkflowRun(ctx, &glue.StartWorkflowRunInput{Name: name})
	if err != nil {
		return err
	}
	fmt.Printf("started %s: %s\n", *name, *started.RunId)
	run, err := ended(ctx, client, name, started.RunId)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d running, %d succeeded\n",
		run.Status, run.Statistics.RunningActions, run.Statistics.SucceededActions)
	if _, err := client.PutWorkflowRunProperties(ctx, &glue.PutWorkflowRunPropertiesInput{
		Name:          name,
		RunId:         started.RunId,
		RunProperties: map[string]string{"read": "by Go"},
	}); err != nil {
		return err
	}
	found, err := client.GetWorkflowRunProperties(ctx, &glue.GetWorkflowRunPropertiesInput{
		Name:  name,
		RunId: started.RunId,
	})
	if err != nil {
		return err
	}
	fmt.Printf("properties: %v\n", found.RunProperties)
	if run.Status != types.WorkflowRunStatusCompleted {
		return errors.New("the run did not complete")
	}
	return nil
}

func main() {
	log.SetFlags(0)
	if err := all(context.Background()); err != nil {
		log.Fatal(err)
	}
}
