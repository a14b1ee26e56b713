package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// healthcheck asks a server for its health, as a container's HEALTHCHECK does.
func healthcheck(f *flags) run {
	address := f.String("address", "127.0.0.1:50051", "")
	service := f.String("service", "", "")
	timeout := f.Duration("timeout", 2*time.Second, "")
	return func(ctx context.Context, p *program, positional []string) error {
		if len(positional) > 0 {
			return usagef("no argument %q: name the server with --address", positional[0])
		}
		if *timeout <= 0 {
			return usagef("--timeout %v: give a time above 0, such as 2s", *timeout)
		}
		ctx, cancel := context.WithTimeout(ctx, *timeout)
		defer cancel()
		client, err := grpc.NewClient(*address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
		if err != nil {
			return usagef("--address %q: %v", *address, err)
		}
		defer client.Close()
		answer, err := healthpb.NewHealthClient(client).Check(ctx, &healthpb.HealthCheckRequest{Service: *service})
		if err != nil {
			return &unhealthyError{fmt.Sprintf("%s: %s", *address, status.Convert(err).Message())}
		}
		if answer.Status != healthpb.HealthCheckResponse_SERVING {
			return &unhealthyError{fmt.Sprintf("%s: %s", *address, answer.Status)}
		}
		_, err = fmt.Fprintf(p.stdout, "%s: SERVING\n", *address)
		return err
	}
}
