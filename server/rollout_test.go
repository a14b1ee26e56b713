package server

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // clients watch health only with it
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	adjutantv1 "github.com/adjutant-dev/adjutant/api/adjutant/v1"
)

// Three replicas behind a client's own balancer are replaced one after the other
// under load, and no call fails: health says NOT_SERVING first, the client goes
// elsewhere, calls that have begun are answered.
func TestRollingRestartFailsNoCall(t *testing.T) {
	config := testConfig()
	config.Drain = 50 * time.Millisecond
	replicas := []*running{start(t, config), start(t, config), start(t, config)}

	addresses := manual.NewBuilderWithScheme("replicas")
	tell := func(update func(resolver.State)) {
		var state resolver.State
		for _, r := range replicas {
			state.Addresses = append(state.Addresses, resolver.Address{Addr: r.Addr().String()})
		}
		update(state)
	}
	tell(addresses.InitialState)
	conn, err := grpc.NewClient("replicas:///", grpc.WithResolvers(addresses), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": "adjutant.v1.RoutingService"}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := adjutantv1.NewRoutingServiceClient(conn)

	ctx, stop := context.WithCancel(t.Context())
	var calls atomic.Int64
	var load sync.WaitGroup
	for range 8 {
		load.Go(func() {
			for ctx.Err() == nil {
				if _, err := client.Classify(context.Background(), &adjutantv1.ClassifyRequest{Task: prompt("Sort these names.")}); err != nil {
					t.Errorf("a call failed: %v", err)
					return
				}
				calls.Add(1)
			}
		})
	}
	for i, old := range replicas {
		replicas[i] = start(t, config)
		tell(addresses.UpdateState)
		before := calls.Load()
		old.stop()
		if err := <-old.done; err != nil {
			t.Errorf("replica %d: %v", i, err)
		}
		if calls.Load() == before {
			t.Errorf("no call was made while replica %d stopped", i)
		}
	}
	stop()
	load.Wait()
	t.Logf("%d calls over three restarts, none failed", calls.Load())
}
