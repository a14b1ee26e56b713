// A client in Go: asks which model a task needs, and prints the answer.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	address := "127.0.0.1:50051"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return ask(ctx, adjutantv1.NewRoutingServiceClient(connection), os.Stdout)
}

func ask(ctx context.Context, client adjutantv1.RoutingServiceClient, out io.Writer) error {
	answer, err := client.Route(ctx, &adjutantv1.RouteRequest{
		Task: &adjutantv1.Task{
			Input:    &adjutantv1.Task_Prompt{Prompt: "Summarise these notes into a one-page brief"},
			Material: &adjutantv1.Material{InputTokens: 4000},
		},
	})
	if err != nil {
		return err
	}
	d := answer.GetDecision()
	cost := d.GetEstimate().GetExpected()
	fmt.Fprintf(out, "%s/%s (%s), expected cost $%d.%09d\n", d.GetModel().GetProvider(), d.GetModel().GetId(), d.GetTier(), cost.GetUnits(), cost.GetNanos())
	for _, reason := range d.GetReasons() {
		fmt.Fprintln(out, "-", reason.GetText())
	}

	// A refusal is a status whose details name each field that is at fault.
	_, err = client.Route(ctx, &adjutantv1.RouteRequest{Task: &adjutantv1.Task{}})
	fmt.Fprintln(out, status.Code(err))
	for _, detail := range status.Convert(err).Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				fmt.Fprintf(out, "- %s: %s\n", v.GetField(), v.GetDescription())
			}
		}
	}
	return nil
}
